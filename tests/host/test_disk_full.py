"""The server's disk is full: what can't be written down is not sent, nothing that was is lost, and all goes on once there is room."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from srup import status
from srup_host import files, init
from srup_host.console import Failure
from srup_host.ledger import Ledger
from tests.host.fake_device import NOW, FakeDevice


@contextmanager
def no_room(folder: Path) -> Iterator[None]:
    """No file of this process may grow beyond what the largest in this folder has."""
    most = max(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_can_not_be_recorded_is_not_sent_and_is_sent_once_there_is_room(tmp_path: Path) -> None:
    fleet = init.create(tmp_path / "fleet", "home")
    board = FakeDevice(fleet, "board")
    ledger = Ledger(fleet, lambda: NOW)
    first = ledger.data(board.device, "app.x", b"before")
    handed_out = [first]
    ledger.received(board.uuid, board.response(first.token, status.DATA_SUCCESS))
    with no_room(tmp_path), pytest.raises(Failure, match="the database can.t be used"):
        for _ in range(2000):
            handed_out.append(sent := ledger.data(board.device, "app.x", os.urandom(600)))
            ledger.received(board.uuid, board.response(sent.token, status.DATA_SUCCESS))
    ledger.close()

    again = Ledger(fleet, lambda: NOW)
    for sent in handed_out:
        assert again.transaction(board.device, sent.token), "signed, handed out, and on record"
    last = board.response(handed_out[-1].token, status.DATA_SUCCESS)
    again.received(board.uuid, last)  # it was not acknowledged: said again
    after = again.data(board.device, "app.x", b"after")
    assert after.token > max(sent.token for sent in handed_out)
    assert [sent.frame for sent in again.unanswered(board.device)] == [after.frame]
    again.close()


def test_half_a_key_is_not_left_behind(tmp_path: Path) -> None:
    (tmp_path / "largest").write_bytes(bytes(100))
    with no_room(tmp_path), pytest.raises(Failure, match="File too large"):
        files.write_new(tmp_path / "command.pem", bytes(101), 0o600)
    assert not (tmp_path / "command.pem").exists()
    files.write_new(tmp_path / "command.pem", bytes(100), 0o600)
