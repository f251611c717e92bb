"""What has to hold on every board, from MicroPython alone to two updates, by the commands that a user gives.

make hardware PORT=/dev/ttyACM0 HOST=192.168.1.10 WIFI=home PASSWORDS=file    a real board, which is a spare one
make hardware                                                                 the emulated Pico; also in make nightly
"""

import pytest

from srup_host import deploy, provisioning
from tests.emulator.test_device import RUN, defined, left_out, unit_files
from tests.hardware import bench
from tests.host.backdrop import Backdrop
from tests.host.shell import run, srup

NAME = "bench"
UNITS = ("test_update", "test_port")  # small and quick; tests/emulator has all that fit a chip
APP = "def setup(agent):\n    agent.on_self_test(lambda: {good})\n    print('app {version}')\n"
PATIENCE = ("--timeout", "240")  # seconds


@pytest.fixture(scope="module")
def board(request, tmp_path_factory):
    chosen = None if bench.is_real() else request.getfixturevalue("frozen_firmware")
    with bench.board(tmp_path_factory.mktemp("bench"), chosen) as found:
        yield found


@pytest.fixture
def fleet(board, tmp_path, monkeypatch):
    """A new one, and `srup serve` for it, where the board finds it."""
    monkeypatch.setenv("SRUP_FLEET", str(tmp_path / "fleet"))
    with Backdrop(tmp_path / "fleet", board.host) as backdrop:
        yield backdrop.fleet


def release(folder, version, good=True):
    """A bundle of an application whose self-test passes, or does not."""
    source = folder / version
    source.mkdir()
    (source / "app.py").write_text(APP.format(version=version, good=good))
    bundle = folder / f"{version}.srup"
    srup("bundle", "build", source, "-o", bundle, "--version", version, "--name", NAME)
    return bundle


def update(bundle):
    """Its exit code: 0 confirmed, 5 reverted."""
    return run("send", "initiate", NAME, bundle, "--activate", *PATIENCE).code


def runs():
    return srup("send", "id-request", NAME, *PATIENCE, "--json").json["inventory"]["version"]


def unit_tests_pass(port):
    """Some of tests/unit, on its own heap."""
    with deploy.connected(port) as connection:
        for module in UNITS:
            wanted = [name for name in defined(module) if name not in left_out(module)]
            connection.put(unit_files(module))
            said = connection.run(RUN.format(module=module, names=wanted), timeout=240)
            assert [line[3:].strip() for line in said.splitlines() if line.startswith("ok ")] == wanted, said
        connection.run(provisioning.ERASE.format(folder="tests-lib"))
        connection.reset()


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_from_the_box_through_a_good_update_and_a_bad_one(board, fleet, tmp_path):
    first = ("--name", NAME, "--app", release(tmp_path, "1.0"), "--adopt")
    said = srup("provision", board.port, *board.options, *first, *PATIENCE, "--json").json
    (device,) = fleet.devices()
    assert (said["hello"]["version"], said["public_key"]) == ("1.0", device.public_key)

    assert update(release(tmp_path, "2.0")) == 0
    assert runs() == "2.0"
    assert update(release(tmp_path, "3.0", good=False)) == 5
    assert runs() == "2.0"

    assert srup("provision", "--check", board.port, "--json").json["findings"] == []
    again = srup("provision", board.port, *PATIENCE, "--json").json
    assert (again["uuid"], again["hello"]["version"]) == (device.uuid, "2.0")
    assert again["kept"][:3] == ["keys", "state", "slots"]
    unit_tests_pass(board.port)
