"""Actions on a board over a real broker: what is told comes true in the board's flash and on its next start, and only once."""

import ast
import hashlib
import json
import subprocess
from pathlib import Path

from srup import second, wire
from srup_host import signing
from srup_host.virtual import interpreter
from tests.flow.world import World

REBOOT, LOW_POWER, WAKE, TURN_OFF, SELF_TEST, SET_MODE, SELF_DESTRUCT, CONNECT = 1, 2, 3, 4, 5, 6, 7, 10

CURIOUS = """
def setup(agent):
    agent.on_self_test(lambda: True)
    agent.on_before(lambda action, parameters: print("before", action))
    print("app {version}")
"""


class TwoKeys(World):
    """Whose authority is at hand."""

    def ordered_by_two(self, action: int, own: bytes = b"") -> bytes:
        """The frame, with the second signature over the board's nonce of this start."""
        nonce = bytes.fromhex(self.inventory()["nonce"])
        elements = {"target": self.device.target, "token": self.token(), "action": action, "parameters": own}
        proof = signing.second_signature(self.fleet.private_key("authority"), wire.ACTION, elements, nonce)
        assert len(proof) == second.PROOF
        return self.sign(wire.ACTION, **(elements | {"parameters": own + proof}))

    def fingerprint(self) -> bytes:
        return hashlib.sha256(self.device.key).digest()


def token_of(frame: bytes) -> bytes:
    return bytes(wire.decode(frame).elements["token"])


def told(world: World, name: bytes) -> dict[str, object]:
    while True:
        frame = wire.decode(world.heard(f"srup/{world.device.uuid}/up"))
        signing.verify_frame(world.device.key, frame)
        if frame.type == wire.DATA and frame.elements["name"] == name:
            return dict(json.loads(frame.elements["value"]))


def kept(world: World) -> list[bytes]:
    """What nobody is to find in the flash of a device that is no more. The board is off."""
    program = "import nor; nor.mount('.'); print([open('/srup-data/' + name, 'rb').read().hex() for name in %r])"
    done = subprocess.run(
        [interpreter.find(), "-c", program % (("device.key", "sealing.key", "config.json"),)],
        cwd=world.board.directory,
        env={"MICROPYPATH": f".frozen:{interpreter.BOARD}"},
        capture_output=True,
        text=True,
        check=True,
    )
    device, sealing, config = map(bytes.fromhex, ast.literal_eval(done.stdout))
    return [device, sealing, json.loads(config)["broker"]["password"].encode()]


def test_all_that_does_no_harm(tmp_path: Path) -> None:
    by_mqtt_alone = {"https": None}  # no server that it could poll: asleep between two connections
    with TwoKeys(tmp_path, "mosquitto", source=CURIOUS, settings=by_mqtt_alone) as world:
        world.start()
        token = world.action(SELF_TEST)
        found = told(world, b"self-test")
        assert found["passed"] and found["slot"] and found["of"] == token.hex()
        world.expect(token, "ACTION_SUCCESS")
        world.expect(world.action(SET_MODE, b"beacon"), "ACTION_SUCCESS")
        world.board.wait_for("beacon on")
        world.expect(world.action(LOW_POWER, (2).to_bytes(4, "big")), "ACTION_SUCCESS")
        world.board.wait_for("srup: asleep for 2 s")
        woken = world.action(CONNECT)  # it waits with the broker
        world.expect(woken, "ACTION_SUCCESS", 60)
        assert world.inventory(60)["poll_s"] == 2
        world.expect(world.action(WAKE), "ACTION_SUCCESS")
        before = world.inventory()
        assert (before["mode"], before["reset"], before["micropython"]) == ("beacon", "power", "1.25.0")
        assert before["slots"]["a"]["version"] == "1.0" and before["flash"] > 0 and before["heap"] > 0
        world.expect(world.action(REBOOT), "ACTION_SUCCESS")
        world.board.wait_for("--- reset ---")
        after = world.inventory()
        assert (after["reset"], after["mode"]) == ("ordered", "normal") and after["nonce"] != before["nonce"]
        assert [line for line in world.board.lines() if line.startswith("before")] == [
            f"before {name}" for name in ("SELF_TEST", "SET_MODE", "LOW_POWER", "CONNECT", "WAKE", "REBOOT")
        ]


def test_safe_mode_and_the_release_that_ends_it(tmp_path: Path) -> None:
    with TwoKeys(tmp_path, source=CURIOUS, flash_size=1200 * 1024) as world:
        world.start()
        world.expect(world.action(SET_MODE, b"safe"), "ACTION_SUCCESS")
        world.board.wait_for("--- reset ---")
        assert world.inventory()["mode"] == "safe" and world.board.lines().count("app 1.0") == 1
        token = world.update(CURIOUS, "2.0")
        world.expect(token, "ACTIVATE_TRIAL", 60)
        assert "app 2.0" in world.board.lines()
        world.data("confirm", token)
        while world.answer()[1] != "ACTIVATE_SUCCESS":
            pass
        world.board.power_cut()
        world.start()
        assert world.inventory()["mode"] == "normal" and world.board.lines().count("app 2.0") == 2


def test_off_until_the_power_is_cycled(tmp_path: Path) -> None:
    with TwoKeys(tmp_path) as world:
        world.start()
        frame = world.ordered_by_two(TURN_OFF)
        world.send(frame)
        world.expect(token_of(frame), "ACTION_SUCCESS")
        world.board.wait_for("asleep until power is cycled")
        world.board.power_cut()
        world.start()
        world.send(frame)  # kept by who could
        assert world.inventory()["reset"] == "power"


def test_nothing_of_a_destroyed_device_is_left_in_its_flash(tmp_path: Path) -> None:
    with TwoKeys(tmp_path) as world:
        image = world.board.directory / "flash.img"
        secrets = kept(world)
        world.start()
        assert all(secret in image.read_bytes() for secret in secrets)
        withheld = world.ordered_by_two(SELF_DESTRUCT, world.fingerprint())
        world.board.power_cut()
        world.start()
        world.send(withheld)
        world.expect(token_of(withheld), "ACTION_REFUSED")
        frame = world.ordered_by_two(SELF_DESTRUCT, world.fingerprint())
        world.send(frame)
        world.expect(token_of(frame), "ACTION_SUCCESS")
        world.board.wait_stopped(60)
        left = image.read_bytes()
        assert not any(secret in left for secret in secrets)
        made_anew = 2 * 4096  # by what stands for the firmware: a file system with nothing in it
        assert left[made_anew:] == b"\xff" * (len(left) - made_anew)
