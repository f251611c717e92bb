"""What the stories of the ledger share: what is sent, and what a device answers. The fixtures are in conftest.py."""

from srup import status
from tests.host.fake_device import NOW

MANIFEST = {"name": "thermometer", "version": "2.0", "tree": "ab" * 32, "counter": 1}
OLD = {"name": "thermometer", "version": "1.0", "tree": "cd" * 32}
DIGEST = bytes(32)
URL = "https://localhost:8443/x.srup"


class Clock:
    now = NOW

    def __call__(self):
        return self.now


def initiate(ledger, board, manifest=MANIFEST):
    return ledger.initiate(board.device, URL, DIGEST, manifest)


def answer(ledger, board, sent, value):
    return ledger.received(board.uuid, board.response(sent.token, value))


def staged(ledger, board):
    sent = initiate(ledger, board)
    answer(ledger, board, sent, status.UPDATE_SUCCESS)
    return sent


def on_trial(ledger, board):
    sent = staged(ledger, board)
    ledger.activate(board.device)
    answer(ledger, board, sent, status.ACTIVATE_TRIAL)
    return sent
