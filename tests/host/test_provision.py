"""`srup provision`, on MicroPython behind a pseudo-terminal: from blank flash to the first hello, broken off, begun again, and misled."""

import dataclasses
import json
import pty
import time
import tty

import pytest
import serial

from srup_host import board_facts, checking, deploy, init, ports, profiles, provisioning, wifi
from srup_host.board_facts import Facts
from srup_host.console import Failure
from tests.host.backdrop import Backdrop
from tests.host.serial_board import SerialBoard
from tests.host.shell import failed, run, srup

APP = "def setup(agent):\n    agent.on_self_test(lambda: True)\n"


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    monkeypatch.setenv("SRUP_FLEET", str(tmp_path / "fleet"))
    return init.create(tmp_path / "fleet", "home")


@pytest.fixture
def board(tmp_path):
    """A board with blank flash, switched on."""
    with SerialBoard(tmp_path / "board") as board:
        yield board


@pytest.fixture
def member(board, fleet):
    """One of the fleet, which has been on its own for a moment."""
    provisioning.provision(board.port, fleet, "kitchen")
    return board


def memory(board):
    """What only the board may write: path -> SHA-256."""
    with deploy.connected(board.port) as connection:
        paths = connection.run(
            "import os\nfor f in ('', '/copy'):\n for n in os.listdir('/srup-data' + f): print('srup-data' + f + '/' + n)"
        )
        kept = [path for path in paths.split() if "state.log" in path or path.endswith(".key")]
        return connection.digests(kept)


def test_from_blank_flash_to_the_first_hello(tmp_path, board, monkeypatch):
    monkeypatch.setenv("SRUP_FLEET", str(tmp_path / "fleet"))
    (tmp_path / "kettle").mkdir()
    (tmp_path / "kettle/app.py").write_text(APP)
    with Backdrop(tmp_path / "fleet") as backdrop:
        said = srup("provision", board.port, "--name", "kitchen", "--app", tmp_path / "kettle", "--json").json
        (device,) = backdrop.fleet.devices()
        assert (said["uuid"], said["public_key"], said["board"]) == (device.uuid, device.public_key, "UNIX")
        assert (said["hello"]["name"], said["hello"]["slot"]) == ("kettle", "a")
        again = srup("provision", board.port, "--json").json
        assert (again["copied"], again["kept"]) == ([], ["keys", "state", "slots", "software"])
        assert again["hello"]["name"] == "kettle"
    assert "all is as it should be" in srup("provision", "--check", board.port).text


def test_a_board_asks_to_join_and_the_fleet_knows_it_when_a_person_has_compared_six_words(tmp_path, board, monkeypatch):
    monkeypatch.setenv("SRUP_FLEET", str(tmp_path / "fleet"))
    with Backdrop(tmp_path / "fleet") as backdrop:
        fleet = backdrop.fleet
        named = ("--name", "kitchen", "--policy", "REBOOT=refuse")
        said = srup("provision", board.port, "--join", *named, "--json").json
        assert fleet.devices() == [] and said["joins"] and len(said["words"].split()) == 6
        # A line that is typed again erases nothing, and the board goes on asking.
        assert "has asked to join" in run("provision", board.port).err
        for _ in range(300):
            if waiting := srup("join", "list", "--json").json:
                break
            time.sleep(0.1)
        assert [(one["uuid"], one["words"]) for one in waiting] == [(said["uuid"], said["words"])]
        accepted = srup("join", "accept", said["uuid"], *said["words"].split(), "--name", "kitchen", "--json").json
        assert accepted["status"] == "JOIN_SUCCESS" and fleet.device("kitchen").public_key == said["public_key"]
        assert "in the fleet already" in run("provision", board.port, "--join").err
        again = srup("provision", board.port, "--json").json
        assert again["kept"] == ["keys", "state", "slots", "software"] and again["hello"]
        assert fleet.device("kitchen").sealing_key, "the key for sealed bundles is not in a JOIN_REQUEST"
    assert run("provision", "--check", board.port).code == 0


def test_no_broker_is_told_before_anything_is_done(fleet, board):
    assert "no MQTT broker" in failed("provision", board.port)
    assert fleet.devices() == [] and not board.output.count(b"raw REPL")


def test_no_hello_in_time_has_an_exit_code_of_its_own_and_shows_the_console(tmp_path, board, monkeypatch):
    monkeypatch.setenv("SRUP_FLEET", str(tmp_path / "fleet"))
    with Backdrop(tmp_path / "fleet"):
        result = run("provision", board.port, "--name", "kitchen", "--timeout", "0")
    assert result.code == 6 and "no hello of kitchen" in result.err


@pytest.mark.parametrize("part", [0.02, 0.5, 0.95, 0.99])
def test_the_power_fails_in_the_middle_and_the_same_command_goes_on(tmp_path, fleet, part):
    whole = SerialBoard(tmp_path / "whole")
    with whole:
        everything = provisioning.provision(whole.port, fleet, "whole")
    with SerialBoard(tmp_path / "board") as board:
        board.start(cut=max(5, int(whole.operations() * part)), torn=True)
        with pytest.raises(Failure):
            provisioning.provision(board.port, fleet, "kitchen")
        board.start()
        done = provisioning.provision(board.port, fleet, "kitchen")
        assert [device.name for device in fleet.devices()] == ["kitchen", "whole"]
        assert len(done.copied) < len(everything.copied) * (1.2 - part), "what was there has been copied again"
        with deploy.connected(board.port) as connection:
            assert checking.check(connection, fleet)[1:] == (done.device, [])


def test_a_member_keeps_its_keys_and_what_it_remembers(member, fleet):
    before = memory(member)
    again = provisioning.provision(member.port, fleet, settings={"wifi": [{"ssid": "new"}]})
    assert again.copied == ["srup-data/config.json"]
    assert memory(member) == before and len(before) > 4
    once_more = provisioning.provision(member.port, fleet)
    assert once_more.copied == [], "the Wi-Fi that it had is kept"


def test_a_dry_run_writes_nothing(board, fleet):
    flash = board.directory / "flash.img"
    deploy.deploy(board.port, {"lib/srup/agent.py": b"1\n", "main.py": b"print('mine')\n"})
    with deploy.connected(board.port):
        before = flash.read_bytes()
    said = srup("provision", board.port, "--dry-run", "--name", "kitchen").text
    assert "enter it as kitchen in the fleet home" in said
    assert "remove lib/srup/agent.py" in said and "replace main.py" in said, said
    told = srup("provision", board.port, "--dry-run", "--json").json
    assert told["remove"] == ["lib/srup/agent.py"] and told["member"] is False
    assert flash.read_bytes() == before and fleet.devices() == []


def test_what_an_earlier_version_left_does_not_shadow_ours(board, fleet):
    deploy.deploy(board.port, {"lib/srup/agent.py": b"old\n", "lib/srup/gone.mpy": b"old", "main.mpy": b"old"})
    provisioning.provision(board.port, fleet, "kitchen")
    with deploy.connected(board.port) as connection:
        assert "missing" in connection.digests(["lib/srup/agent.py"]).values()
        assert checking.check(connection, fleet)[2] == []


# Whom it trusts


def test_a_key_that_the_fleet_has_not_heard_of_is_not_taken_over(board, fleet):
    """Somebody may have put it there, and know it."""
    planted = bytes(range(1, 33))
    deploy.deploy(board.port, {"srup-data/device.key": planted, "srup-data/sealing.key": planted})
    provisioning.provision(board.port, fleet, "kitchen")
    with deploy.connected(board.port) as connection:
        assert connection.differing({"srup-data/device.key": planted, "srup-data/sealing.key": planted}) == {
            "srup-data/device.key": "differs",
            "srup-data/sealing.key": "differs",
        }


@pytest.mark.parametrize("read", ["lambda n: bytes(n)", "lambda n: bytes(range(n))[:8] * (n // 8)"])
def test_a_source_of_randomness_that_is_stuck_makes_no_key_and_one_clear_error(board, fleet, monkeypatch, read):
    """The board's own code notices; the operator is told, and the fleet has heard of no device. Once it works again, so does it all."""
    sound = provisioning._MAKE_KEYS
    monkeypatch.setattr(provisioning, "_MAKE_KEYS", f"from srup import port\nport.random._read = {read}\n{sound}")
    result = run("provision", board.port, "--name", "kitchen", "--no-wait")
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert (result.code, result.out, len(errors)) == (2, b"", 1), result
    assert "has no randomness: its source repeats itself, and no key was made" in errors[0]
    assert "Traceback" not in result.err and fleet.devices() == []
    paths = [f"srup-data/{name}" for name in ("device.key", "sealing.key", "config.json")]
    with deploy.connected(board.port) as connection:
        assert set(connection.digests(paths).values()) == {"missing"}
    monkeypatch.setattr(provisioning, "_MAKE_KEYS", sound)
    srup("provision", board.port, "--name", "kitchen", "--no-wait")
    assert [device.name for device in fleet.devices()] == ["kitchen"]


def test_a_board_of_another_fleet_is_left_alone_until_it_is_adopted(member, fleet, tmp_path, monkeypatch):
    before = memory(member)
    other = init.create(tmp_path / "other", "other")
    monkeypatch.setenv("SRUP_FLEET", str(tmp_path / "other"))
    assert "is 'kitchen' of another fleet" in failed("provision", member.port, "--no-wait")
    assert memory(member) == before
    srup("provision", member.port, "--no-wait", "--adopt", "--name", "hall")
    keys = [path for path in before if path.endswith(".key")]
    assert keys and all(memory(member)[path] != before[path] for path in keys)
    with deploy.connected(member.port) as connection:
        assert checking.check(connection, other)[2] == []
    assert [device.name for device in other.devices()] == ["hall"]


def test_a_board_that_says_it_is_another_is_refused(member, fleet, tmp_path):
    """Its config.json is another device's."""
    with SerialBoard(tmp_path / "second") as second:
        provisioning.provision(second.port, fleet, "hall")
        with deploy.connected(member.port) as connection:
            config = connection.run("print(open('/srup-data/config.json').read())").strip()
        deploy.deploy(second.port, {"srup-data/config.json": config.encode()})
        with pytest.raises(Failure, match="its key is not that device's"):
            provisioning.provision(second.port, fleet)


def test_a_name_that_is_taken_and_one_for_a_member_are_refused(member, fleet, tmp_path):
    with SerialBoard(tmp_path / "second") as second, pytest.raises(Failure, match="has a device named kitchen"):
        provisioning.provision(second.port, fleet, "kitchen")
    with pytest.raises(Failure, match="is called kitchen in this fleet"):
        provisioning.provision(member.port, fleet, "hall")


# --check


def test_check_finds_what_is_not_as_it_should_be(member, fleet):
    with deploy.connected(member.port) as connection:
        config = json.loads(connection.run("print(open('/srup-data/config.json').read())"))
        config["broker"]["password"] = "guessed"
        config["allow"] = ["evil.example:443"]
        connection.put(
            {
                "srup-data/config.json": json.dumps(config).encode(),
                "lib/srup/auth.mpy": b"M\6evil",
                "lib/srup/wire.py": b"",
            }
        )
        connection.run("import os\nos.remove('lib/srup/store.mpy')")
    result = run("provision", "--check", member.port, "--json")
    assert result.code == 1
    found = {finding["where"]: finding["what"] for finding in result.json["findings"]}
    assert found.pop("key", "").startswith("can't be asked")  # by such modules
    assert found == {
        "lib/srup/auth.mpy": "differs",
        "lib/srup/store.mpy": "missing",
        "lib/srup/wire.py": "in the way",
        "settings: allow": "differs",
        "settings: broker": "its password is not the one that the fleet knows",
    }


def test_check_of_a_board_that_trusts_another_key(member, fleet, tmp_path):
    other = init.create(tmp_path / "other", "other")
    (fleet.directory / "keys/command.pub.pem").write_bytes((other.directory / "keys/command.pub.pem").read_bytes())
    result = run("provision", "--check", member.port)
    assert result.code == 1 and "trust: command" in result.text


# What may be at the port


def test_there_is_no_such_port(fleet):
    assert "there is no port /dev/ttyNOT" in failed("provision", "/dev/ttyNOT", "--dry-run")


def test_a_port_that_is_in_use(board, fleet):
    with serial.Serial(board.port, exclusive=True):
        assert "is in use by another program" in failed("provision", board.port, "--dry-run")


def test_something_that_is_not_micropython(fleet):
    master, slave = pty.openpty()
    tty.setraw(slave)
    assert master
    assert "does not answer as MicroPython" in failed("provision", f"/proc/self/fd/{slave}", "--dry-run")


def test_the_ports_that_there_are(monkeypatch):
    class Found:
        def __init__(self, device, vid, description="a serial thing", serial_number=None):
            self.device, self.vid, self.description, self.serial_number = device, vid, description, serial_number

    found = [
        Found("/dev/ttyS0", None),
        Found("/dev/ttyUSB9", 0x1234),
        Found("/dev/ttyACM0", 0x2E8A, serial_number="E66"),
    ]
    monkeypatch.setattr(ports.list_ports, "comports", lambda: found)
    assert [port["port"] for port in srup("provision", "--json").json] == ["/dev/ttyACM0", "/dev/ttyUSB9"]
    assert "Raspberry Pi" in srup("provision").text
    monkeypatch.setattr(ports.list_ports, "comports", list)
    assert "no USB serial port is there" in failed("provision")


# What the board says it is

PICO = Facts(
    implementation="micropython",
    version=(1, 25, 0),
    mpy=4 << 10 | 3 << 8 | 6,
    build="RPI_PICO_W",
    machine="Raspberry Pi Pico W with RP2040",
    platform="rp2",
    unique_id="e661",
    block=4096,
    blocks=212,
    free=200,
    hashes=True,
    where=dict.fromkeys(board_facts.MODULES, ""),
)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"implementation": "circuitpython"}, "runs circuitpython; it takes MicroPython"),
        ({"version": (1, 24, 1)}, "MicroPython 1.24.1 on ttyX is too old"),
        ({"mpy": 4 << 10 | 2 << 8 | 6}, "loads .mpy 6.2, and these tools make 6.3"),
        ({"blocks": 0}, "no file system"),
        ({"where": dict.fromkeys(board_facts.MODULES, "") | {"tls": None, "network": None}}, "lacks network, tls"),
        ({"hashes": False}, "no SHA-256"),
    ],
)
def test_a_firmware_that_will_not_do(changes, why):
    board_facts.check(PICO, "ttyX")
    with pytest.raises(Failure, match=why):
        board_facts.check(dataclasses.replace(PICO, **changes), "ttyX")


def test_the_profile_is_chosen_by_what_the_board_says():
    assert board_facts.profile(PICO).board == "RPI_PICO_W"
    variant = dataclasses.replace(PICO, build="ESP32_GENERIC-SPIRAM", platform="esp32")
    assert board_facts.profile(variant).board == "ESP32_GENERIC"
    assert board_facts.profile(dataclasses.replace(variant, build="ESP32_GENERIC-OTA")).board == "ESP32_GENERIC-OTA"
    stranger = dataclasses.replace(PICO, build="ADAFRUIT_FEATHER")
    with pytest.raises(Failure, match="no profile for 'ADAFRUIT_FEATHER'"):
        board_facts.profile(stranger)
    assert board_facts.profile(stranger, "RPI_PICO_W").board == "RPI_PICO_W"
    with pytest.raises(Failure, match="is for the port esp32"):
        board_facts.profile(stranger, "ESP32_GENERIC")


def test_what_does_not_fit_is_told_before_it_is_copied():
    board_facts.check_room(PICO, {"lib/a": 500_000})
    with pytest.raises(Failure, match="do not fit"):
        board_facts.check_room(PICO, {"lib/a": 830_000})


# Wi-Fi


def test_wifi_passwords_come_from_a_file(tmp_path):
    (tmp_path / "passwords").write_text("correct horse\n\n")
    assert wifi.networks(["home", "guests"], tmp_path / "passwords") == [
        {"ssid": "home", "password": "correct horse"},
        {"ssid": "guests"},
    ]
    with pytest.raises(Failure, match="has 2 passwords for 3 networks"):
        wifi.networks(["a", "b", "c"], tmp_path / "passwords")


def test_a_wifi_password_is_no_option_of_the_command():
    options = srup("provision", "--help").text
    assert "--wifi-password-f" in options and "--wifi-password " not in options


@pytest.mark.parametrize(
    ("name", "password"), [("", "12345678"), ("x" * 33, "12345678"), ("home", "1234567"), ("home", "x" * 64)]
)
def test_a_wifi_that_no_radio_takes_is_refused(tmp_path, name, password):
    (tmp_path / "passwords").write_text(password)
    with pytest.raises(Failure):
        wifi.networks([name], tmp_path / "passwords")


def test_nobody_to_ask_for_a_password(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", (tmp_path / "nobody").open("w+"))
    with pytest.raises(Failure, match="nobody to ask"):
        wifi.networks(["home"], None)
    with pytest.raises(Failure, match="which Wi-Fi"):
        wifi.ask_name()


# boards/


@pytest.mark.parametrize("name", profiles.names())
def test_a_profile_is_of_the_form_and_agrees_with_itself(name):
    profile = profiles.load(name)
    assert profile.slots["default"] in profile.slots
    folders = profile.slots["folders"]["size"]
    assert 3 * folders + 200_000 <= profile.parts["littlefs"].size, "two slots, a bundle, and the agent"
    assert isinstance(profile.settings()["memory"]["drop_mqtt"], bool)
