"""What a poll over HTTPS costs a board that sleeps: how long it is awake for it, and the bytes on its line.

Awake is from the start of the network to its end, in emulated time. The line is PPP over the UART; its bytes, of both directions,
have TCP, TLS with a whole handshake, and HTTP in them.
"""

import tempfile
import time
from pathlib import Path

from srup_host import profiles, provisioning
from tests.emulator.online import OnlineBoard
from tests.host.backdrop import Whole
from tests.host.shell import srup
from tests.unit.on_micropython import ROOT

FROZEN = ROOT / "build/chip/SRUP_RP2040-FROZEN/firmware.bin"
PATIENCE = 300.0  # seconds
EMPTY = 3  # polls with nothing for the board, of which the middle one is taken

APP = """
import time
from srup import port

start, stop = port.network_start, port.network_stop
awake = 0

def network_start(*arguments):
    global awake
    awake = time.ticks_ms()
    start(*arguments)

def network_stop():
    stop()
    print("awake", time.ticks_diff(time.ticks_ms(), awake))

def setup(agent):
    port.network_start, port.network_stop = network_start, network_stop
    agent.on_self_test(lambda: True)
    agent.on_data(lambda name, value: True)
"""


class Polls:
    """Of one board: (ms awake, bytes on the line) of each."""

    def __init__(self, board: OnlineBoard):
        self.board = board
        self.seen: list[tuple[int, int]] = []
        self._before = 0

    def hear(self, line: str) -> None:
        if line.startswith("awake "):
            assert self.board.link
            traffic = self.board.link.traffic
            so_far = traffic.bytes_in + traffic.bytes_out
            self.seen.append((int(line.split()[1]), so_far - self._before))
            self._before = so_far

    def more(self, count: int) -> list[tuple[int, int]]:
        """The next ones."""
        begun, until = len(self.seen), time.monotonic() + PATIENCE
        while len(self.seen) < begun + count:
            if time.monotonic() > until:
                raise TimeoutError("it polls no more\n" + "\n".join(self.board.lines()[-20:]))
            time.sleep(0.05)
        return self.seen[begun : begun + count]


def measure(firmware: Path) -> dict[str, int]:
    """Of a poll that finds nothing, and of one that brings a DATA, which is obeyed and answered."""
    with tempfile.TemporaryDirectory() as folder, Whole(Path(folder, "fleet")) as backdrop:
        options = ("--timeout", PATIENCE, "--fleet", backdrop.fleet.directory)
        source = Path(folder, "app")
        source.mkdir()
        (source / "app.py").write_text(APP)
        board = OnlineBoard(Path(folder, "board"), firmware, {"localhost", *profiles.NTP})
        with board.start():
            provisioning.provision(board.port, backdrop.fleet, "kitchen", application=source)
        polls = Polls(board)
        with board.start(polls.hear):
            board.wait_for("srup: connected", PATIENCE)
            srup("send", "action", "kitchen", "LOW_POWER", "5", *options)
            polls.more(2)  # what was left to be said, and the first words of the new connection
            empty = sorted(polls.more(EMPTY))[EMPTY // 2]
            begun = len(polls.seen)
            srup("send", "data", "kitchen", "app.colour", "red", *options)
            polls.more(1)
            busy = max(polls.seen[begun:])
    names = ("poll_ms", "poll_line", "poll_data_ms", "poll_data_line")
    return dict(zip(names, (*empty, *busy), strict=True))


if __name__ == "__main__":
    for name, value in measure(FROZEN).items():
        print(name, value)
