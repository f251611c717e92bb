"""An attacker owns the network and the broker: what he has recorded, held back, bent or made up, sent to a real board.

Each story ends with a board that does what its owner says: whatever was sent, it has changed nothing.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from srup import limits, wire
from srup_host import keyfiles
from tests.flow.peer import serving
from tests.flow.world import GOOD, World

REBOOT = 0x01


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        made.start()
        yield made


def initiate(world: World, token: bytes, key: Any = None, **changes: Any) -> bytes:
    """An INITIATE, signed and not sent."""
    elements = {"target": world.device.target, "token": token, "url": world.url().encode(), "digest": bytes(32)}
    return world.sign(wire.INITIATE, key, **(elements | changes))


def confirmed(world: World, version: str) -> list[bytes]:
    """Update to this version; the frames that did it."""
    sent: list[bytes] = []
    send, world.send = world.send, lambda frame: (sent.append(frame), send(frame))[1]  # type: ignore[method-assign]
    token = world.update(GOOD, version)
    world.expect(token, "ACTIVATE_TRIAL")
    confirm = world.data("confirm", token)
    assert {world.answer(), world.answer()} == {(token, "ACTIVATE_SUCCESS"), (confirm, "DATA_SUCCESS")}
    world.send = send  # type: ignore[method-assign]
    return sent


def still_obeys(world: World) -> None:
    """The owner's next command is carried out: nothing that was sent has used up, jammed or moved anything."""
    world.expect(world.initiate(world.bundle(GOOD, "9.0")), "UPDATE_SUCCESS")


def resets(world: World) -> int:
    return int(world.board.lines().count("--- reset ---"))


def test_a_downgrade_by_replaying_the_frames_of_an_old_update(world: World) -> None:
    """The known fault of earlier SRUP code: INITIATE and ACTIVATE, both authentic, once more."""
    old = world.bundle(GOOD, "2.0")
    frames = confirmed(world, "2.0")
    confirmed(world, "3.0")
    world.peer.answer = serving(old)
    fetched, before = world.peer.connections, resets(world)
    for frame in frames:
        world.send(frame)
    assert world.inventory()["version"] == "3.0"
    assert (world.peer.connections, resets(world)) == (fetched, before)


def test_a_command_held_back_and_delivered_after_a_newer_one(world: World) -> None:
    held = initiate(world, world.token())
    world.expect(world.initiate(world.bundle(GOOD, "2.0")), "UPDATE_SUCCESS")
    fetched = world.peer.connections
    world.send(held)
    world.expect(wire.decode(held).elements["token"], "TOKEN_STALE")
    assert world.peer.connections == fetched


def test_a_reboot_replayed_reboots_nothing(world: World) -> None:
    token = world.token()
    frame = world.sign(wire.ACTION, target=world.device.target, token=token, action=REBOOT, parameters=b"")
    world.send(frame)
    world.expect(token, "ACTION_SUCCESS")
    world.board.wait_for("--- reset ---")
    world.board.wait_for("srup: connected")
    for _ in range(3):
        world.send(frame)
    assert world.inventory()["version"] == "1.0"
    assert resets(world) == 1


def test_a_forgery_with_the_highest_token_there_is_uses_nothing_up(world: World) -> None:
    """A sequence number that is burnt before the signature is checked would lock the owner out."""
    highest = b"\xff" * 6 + b"\x7f\xff\xbf" + b"\xff" * 7
    world.send(initiate(world, highest, keyfiles.generate()))
    world.silence()
    still_obeys(world)


def test_a_token_of_tomorrow_by_the_right_key_locks_nobody_out(world: World) -> None:
    """A server whose clock was wrong for a moment; or fast-forward, by whoever had the key for one."""
    tomorrow = os.urandom(16)
    ms = int.from_bytes(world.token()[:6], "big") + 86_400_000
    tomorrow = ms.to_bytes(6, "big") + b"\x70\x00\x80" + tomorrow[9:]
    world.send(initiate(world, tomorrow))
    world.expect(tomorrow, "TOKEN_AHEAD")
    still_obeys(world)


def test_the_command_of_another_board(world: World) -> None:
    world.send(initiate(world, world.token(), target=os.urandom(16)))
    world.silence()
    assert world.inventory()["refused"] == {"target": 1}
    assert not world.peer.connections


def test_bytes_after_the_frame_and_lengths_that_reach_beyond_it(world: World) -> None:
    """Authentic bytes with something behind them, or with their lengths bent."""
    frame = initiate(world, world.token())
    bent = [frame + b"\0", frame + frame, frame[:-1], frame[:2] + b"\xff\xff" + frame[4:]]
    at = len(frame) - 34  # the digest's length
    bent += [frame[:at] + length + frame[at + 2 :] for length in (b"\x00\x1f", b"\x00\x21", b"\xff\xff", b"\x00\x00")]
    for each in bent:
        world.send(each)
    world.silence()
    assert world.inventory()["refused"] == {"malformed": len(bent)}
    still_obeys(world)


def test_a_url_with_a_nul_and_another_host_behind_it(world: World) -> None:
    allowed = world.url().encode()
    for url in (b"https://example.org\0" + allowed, allowed + b"\0.example.org", b"https://example.org/#" + allowed):
        token = world.token()
        world.send(initiate(world, token, url=url))
        world.expect(token, "UPDATE_FAIL_URL")
    assert not world.peer.connections


def test_a_file_with_another_digest_is_not_there_to_be_activated(world: World) -> None:
    """The known fault: it stays on disk, and a later ACTIVATE runs it."""
    token = world.initiate(world.bundle(GOOD, "2.0"), digest=bytes(32))
    world.expect(token, "UPDATE_FAIL_DIGEST")
    world.activate(token)
    world.expect(token, "UPDATE_FAIL_DIGEST")
    assert world.inventory()["other"] is None and not resets(world)
    still_obeys(world)


def test_a_staged_update_is_not_overwritten_by_a_forged_initiate(world: World) -> None:
    token = world.initiate(world.bundle(GOOD, "2.0"))
    world.expect(token, "UPDATE_SUCCESS")
    world.peer.answer = serving(world.bundle(GOOD, "6.6", key=keyfiles.generate()))
    world.send(initiate(world, world.token(), keyfiles.generate()))
    world.silence()
    world.activate(token)
    world.board.wait_for("app 2.0")


def test_what_two_keys_must_have_signed_and_one_did(world: World) -> None:
    """Each of the two stolen alone: the command key with a bundle of its own, the release key with no INITIATE."""
    world.expect(world.initiate(world.bundle(GOOD, "6.6", key=world.command_key)), "UPDATE_FAIL_BUNDLE")
    world.send(initiate(world, world.token(), world.fleet.private_key("release")))
    world.silence()
    assert world.inventory()["version"] == "1.0"


def test_a_flood_of_what_is_refused_costs_no_memory_and_silences_nobody(world: World) -> None:
    """Malformed, another board's, and forged: of these ten are verified, and then one a second; but none is passed over, for it
    might be the owner's."""
    forged = initiate(world, world.token(), keyfiles.generate())
    world.inventory()
    before = world.inventory()["heap"]
    for _ in range(200):
        for frame in (b"\x01", os.urandom(limits.FRAME), initiate(world, world.token(), target=bytes(16))):
            world.send(frame)
    for _ in range(14):
        world.send(forged)
    after = world.inventory(timeout=60)
    assert after["refused"] == {"malformed": 400, "target": 200, "signature": 14}
    assert after["heap"] >= before - 1024  # the counters themselves; it varies by less than that
    still_obeys(world)
