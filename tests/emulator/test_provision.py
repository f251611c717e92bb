"""`srup provision` on the emulated Pico: blank littlefs, the power fails in the middle, and the same command goes on."""

import pytest

from srup_host import checking, deploy, init, provisioning
from srup_host.console import Failure


def test_broken_off_by_a_torn_write_and_begun_again(board, tmp_path):
    fleet = init.create(tmp_path / "fleet", "home")
    board.cut_power_at(300, "torn")
    with pytest.raises(Failure):
        provisioning.provision(board.port, fleet, "kitchen")
    board.wait_for("power cut")
    board.start()
    done = provisioning.provision(board.port, fleet, "kitchen")
    assert (done.device.board, [device.name for device in fleet.devices()]) == ("SRUP_RP2040", ["kitchen"])
    assert set(done.copied) < set(done.plan.software) | {path for path in done.copied if path.startswith("srup-data/")}
    assert len(done.plan.different) < len(done.plan.software), "what was there has been copied again"
    board.wait_for("reset")
    with deploy.connected(board.port) as connection:
        assert checking.check(connection, fleet)[1:] == (done.device, [])
