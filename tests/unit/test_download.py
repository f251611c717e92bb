"""How long a bundle host may keep a board to itself: one with room for one connection hears nobody else meanwhile."""

from srup import download, limits, port, status
from tests.unit.board import COMMAND, Board, action
from tests.unit.on_board_ticks import Ticks
from tests.unit.server import NOON, token

CANCEL = 9
SIZE = 40_000
MINUTE = 60_000
LONGEST = limits.PATIENCE + SIZE * limits.PATIENCE_BYTE


class Host:
    """In place of Link: a server of SIZE bytes, `most` of which come every `pause` ms, and `each` of them by one connection."""

    def __init__(self, most, pause, each=SIZE):
        self.most, self.pause, self.each = most, pause, each
        self.connections = 0

    def __call__(self, *_):
        self.connections += 1
        self._left = self.each
        self._at = port.ticks_ms()
        return self

    def step(self):
        return True

    def send(self, request):
        first = int(request.split(b"bytes=")[1].split(b"-")[0]) if b"Range" in request else 0
        code = f"206 X\r\nContent-Range: bytes {first}-{SIZE - 1}/{SIZE}" if first else "200 X"
        self._head = f"HTTP/1.1 {code}\r\nContent-Length: {SIZE - first}\r\n\r\n".encode()

    def flush(self):
        return True

    def read_into(self, buffer):
        if port.within(self.pause, self._at):
            return 0
        self._at = port.ticks_ms()
        if not self._left:
            raise download.NetworkError("hung up")
        if self._head:
            piece, self._head = self._head[: self.most], self._head[self.most :]
            buffer[: len(piece)] = piece
            return len(piece)
        count = min(self.most, self._left, len(buffer))
        buffer[:count] = bytes(count)
        self._left -= count
        return count

    def close(self):
        pass


class Fetching:
    """`with Fetching(host) as board:` a board that makes room for TLS, and that has been sent for the file."""

    def __init__(self, host, **settings):
        self._host = host
        self._settings = settings

    def __enter__(self):
        self._link, download.Link = download.Link, self._host
        self.ticks = Ticks()
        self.ticks.__enter__()
        self.board = Board(memory={"drop_mqtt": True}, **self._settings)
        self.board.__enter__()
        self.board.air.coming.append(COMMAND.initiate(token(NOON, 1)))
        while not self.is_fetching():
            self.board.agent.poll()
        return self

    def __exit__(self, *_):
        self.board.__exit__()
        self.ticks.__exit__()
        download.Link = self._link

    def is_fetching(self):
        return self.board.road is not None and self.board.road.fetching()

    def go_on(self, ms, step=500):
        """For so long at most: the milliseconds that have passed when it no longer fetches."""
        for passed in range(0, ms, step):
            if not self.is_fetching():
                return passed
            self.ticks.pass_ms(step)
            self.board.agent.poll()
        return ms


def is_heard_again(host):
    """It is told to cancel, while it fetches from this host: when has it read that?"""
    with Fetching(host) as story:
        board = story.board
        board.air.coming.append(action(2, CANCEL, token(NOON, 1)))
        passed = story.go_on(2 * LONGEST)
        assert not board.air.up and board.air.coming, "it was deaf meanwhile"
        board.air.up = True
        answers = board.receive()
        assert not board.air.coming and (token(NOON, 1), status.UPDATE_FAIL_FILE) in answers
        return passed


def test_nor_one_that_hangs_up_ten_times_for_each_byte():
    """Each time there is a longer pause before it is asked again."""

    class Hangs(Host):
        def __call__(self, *_):
            self.each = self.connections % 11 // 10
            self.pause = 0
            return super().__call__()

    assert is_heard_again(Hangs(2048, 0)) <= LONGEST + MINUTE


def test_a_server_that_drips_does_not_deafen_a_board_with_room_for_one_connection():
    """A byte every 14 s kept it away from its broker for 65 days."""
    assert is_heard_again(Host(1, 14_000)) <= LONGEST + MINUTE


def test_nor_one_that_hangs_up_after_each_byte():
    assert is_heard_again(Host(2048, 9_000, each=1)) <= LONGEST + MINUTE


def test_nor_one_that_is_fast_until_a_byte_before_its_end():
    class Fast(Host):
        def read_into(self, buffer):
            self.most, self.pause = (min(2048, self._left - 200), 0) if self._left > 200 else (1, 14_000)
            return super().read_into(buffer)

    assert limits.PATIENCE < is_heard_again(Fast(2048, 0)) <= LONGEST + MINUTE


def test_the_slowest_honest_link_is_waited_for():
    """Twenty bytes a second, of a modem at 1,200 baud. What comes has another digest, but it has all come."""
    with Fetching(Host(20, 1000)) as story:
        assert limits.PATIENCE < story.go_on(LONGEST, 100) < LONGEST
        assert story.board.receive() == [] and story.board.air.sent == []
        story.board.air.up = True
        assert story.board.receive()[-1] == (token(NOON, 1), status.UPDATE_FAIL_DIGEST)


def test_a_server_is_not_slow_because_the_application_calls_us_every_two_minutes():
    with Fetching(Host(2048, 0)) as story:
        assert story.go_on(4 * LONGEST, 2 * MINUTE) < 4 * LONGEST
        story.board.air.up = True
        assert story.board.receive()[-1] == (token(NOON, 1), status.UPDATE_FAIL_DIGEST)


def test_what_has_no_end_ends_as_the_server_that_never_answered():
    with Fetching(Host(0, 0), download_attempts=1000) as story:
        story.go_on(2 * LONGEST)
        story.board.air.up = True
        assert story.board.receive()[-1] == (token(NOON, 1), status.UPDATE_FAIL_SERVER)


def test_a_connection_is_closed_that_took_too_long():
    closed = []
    host = Host(1, 14_000)
    host.close = lambda: closed.append(1)
    with Fetching(host) as story:
        story.go_on(2 * LONGEST)
        assert len(closed) == host.connections == 1
