"""The HTTPS host is the attacker's, or somebody is in its place: what it does to a board that fetches an update from it.

Over real sockets, to the device's code on MicroPython, on a heap like a board's. Each time the board gives up with the status that
says so, has taken nothing that it was not to take, and has listened to no more than it must.
"""

import gzip
import hashlib
import itertools
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from srup import limits, wire
from tests.flow.peer import Authority, Peer, Raw, head, serving
from tests.flow.world import GOOD, World
from tests.unit.on_micropython import ROOT, run

DATA = random.Random(2).randbytes(30_000)
WHOLE = f"Content-Length: {len(DATA)}"
SOCKETS = 4_000_000  # bytes that the buffers of two sockets take, at most, without anybody reading them


class Board:
    """fetch() -> what the board says became of the download; `file` is where it goes."""

    def __init__(self, folder: Path):
        self.authority = Authority(folder)
        self.file = folder / "file"

    def fetch(self, port: int, attempts: int = 1, patience: int = 2000) -> str:
        arguments = [port, self.file, hashlib.sha256(DATA).hexdigest(), attempts, 1_000_000, 0, patience]
        script = ROOT / "tests" / "flow" / "fetch.py"
        return run(script, *map(str, arguments), stdin=self.authority.der.hex() + "\n").strip()

    def told(self, answer: Callable[[ssl.SSLSocket], object], attempts: int = 1) -> tuple[str, int]:
        """(what became of it, connections) with a server that has a good certificate and says this."""
        with Peer(self.authority.context("localhost"), lambda connection, *_: answer(connection)) as peer:
            return self.fetch(peer.port, attempts).partition(" ")[0], peer.connections

    def behind(self, context: ssl.SSLContext) -> tuple[str, int]:
        """(what became of it, requests) with an honest server behind this TLS."""
        with Peer(context, serving(DATA)) as peer:
            return self.fetch(peer.port).partition(" ")[0], len(peer.requests)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def saying(*parts: bytes) -> Callable[[ssl.SSLSocket], object]:
    return lambda connection: connection.sendall(b"".join(parts))


def test_the_same_board_takes_the_file_from_an_honest_server(board: Board) -> None:
    """Else nothing of what follows would mean anything."""
    with Peer(board.authority.context("localhost"), serving(DATA)) as peer:
        assert board.fetch(peer.port) == f"whole {len(DATA)}"


# HTTP


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param(["Content-Length: -1"], "UPDATE_FAIL_HTTP", id="below zero"),
        pytest.param(["Content-Length: 0x7530"], "UPDATE_FAIL_HTTP", id="in hex"),
        pytest.param(["Content-Length: 99999999999999999999"], "UPDATE_FAIL_HTTP", id="beyond any file"),
        pytest.param(["Content-Length: 4294967296"], "UPDATE_FAIL_SPACE", id="four gigabytes"),
        pytest.param([WHOLE, "Content-Length: 5"], "UPDATE_FAIL_HTTP", id="two lengths"),
        pytest.param(["Content-Length:"], "UPDATE_FAIL_HTTP", id="none"),
        pytest.param(["Content-Length: 29999"], "UPDATE_FAIL_DIGEST", id="a byte too short"),
        pytest.param(["Content-Length: 30001"], "UPDATE_FAIL_FILE", id="a byte too long, and it hangs up"),
    ],
)
def test_a_lying_content_length(board: Board, headers: list[str], status: str) -> None:
    assert board.told(saying(head(200, *headers), DATA))[0] == status
    assert not board.file.exists() or status == "UPDATE_FAIL_FILE"


def test_a_length_for_which_nothing_comes_any_more_is_waited_for_only_so_long(board: Board) -> None:
    def silent(connection: ssl.SSLSocket) -> None:
        connection.sendall(head(200, "Content-Length: 30001") + DATA)
        with suppress(OSError):
            connection.recv(1)  # until the board hangs up

    assert board.told(silent, attempts=2) == ("UPDATE_FAIL_FILE", 2)


@pytest.mark.parametrize(
    "headers", [["Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", WHOLE]], ids=["alone", "with a length"]
)
def test_chunks_are_not_taken(board: Board, headers: list[str]) -> None:
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(DATA), DATA)
    assert board.told(saying(head(200, *headers), chunks)) == ("UPDATE_FAIL_HTTP", 1)


ENDLESS = {
    "headers": (b"HTTP/1.1 200 So\r\n", b"X: y\r\n"),
    "one header": (b"HTTP/1.1 200 So\r\nX: ", b"y" * 64),
    "a status line": (b"HTTP/1.1 200 ", b"O" * 64),
    "a body behind its length": (head(200, WHOLE), DATA),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_endless(board: Board, what: str) -> None:
    begin, again = ENDLESS[what]
    sent = 0

    def pour(connection: ssl.SSLSocket) -> None:
        nonlocal sent
        connection.sendall(begin)
        for _ in itertools.count():
            connection.sendall(again * 50)
            sent += len(again) * 50

    status, connections = board.told(pour)
    assert status == ("whole" if "body" in what else "UPDATE_FAIL_HTTP")
    assert connections == 1 and sent < SOCKETS, "it has hung up"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(board: Board, code: int) -> None:
    with Peer(board.authority.context("localhost"), serving(DATA)) as other:
        elsewhere = f"Location: https://localhost:{other.port}/file"
        assert board.told(saying(head(code, elsewhere, "Content-Length: 0"))) == ("UPDATE_FAIL_HTTP", 1)
        assert not other.connections


def test_compressed_although_nobody_asked_for_it(board: Board) -> None:
    packed = gzip.compress(DATA)
    length = f"Content-Length: {len(packed)}"
    assert board.told(saying(head(200, length, "Content-Encoding: gzip"), packed)) == ("UPDATE_FAIL_HTTP", 1)
    assert board.told(saying(head(200, length), packed))[0] == "UPDATE_FAIL_DIGEST"


@pytest.mark.parametrize(
    "span",
    [
        "bytes 0-29999/30000",
        "bytes 9999-29999/30000",
        "bytes 10000-29999/*",
        "bytes 10000-29999/40000",
        "lines 1-2/3",
        "",
    ],
)
def test_another_range_than_was_asked_for(board: Board, span: str) -> None:
    board.file.write_bytes(DATA[:10_000])
    headers = ["Content-Length: 20000"] + ([f"Content-Range: {span}"] if span else [])
    assert board.told(saying(head(206, *headers), DATA[10_000:]))[0] == "UPDATE_FAIL_HTTP"


def test_the_right_range_of_another_file(board: Board) -> None:
    board.file.write_bytes(DATA[:10_000])
    lie = [b"!" * 20_000, head(206, "Content-Length: 20000", "Content-Range: bytes 10000-29999/30000")]
    assert board.told(saying(*reversed(lie)))[0] == "UPDATE_FAIL_DIGEST"
    assert not board.file.exists()


# TLS


def test_the_certificate_of_another_name(board: Board) -> None:
    for name in ("example.org", "localhost.example.org", "127.0.0.1"):
        assert board.behind(board.authority.context(name)) == ("UPDATE_FAIL_SERVER", 0)


def test_a_chain_to_another_authority_of_the_same_name(board: Board, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert board.behind(Authority(tmp_path / "other").context("localhost")) == ("UPDATE_FAIL_SERVER", 0)


def test_a_server_certificate_is_no_authority(board: Board, tmp_path: Path) -> None:
    """Who has any certificate by the board's authority signs one for the update server's name, and shows both."""
    from srup_host import ca, keyfiles

    key = keyfiles.generate()
    rogue = Authority(tmp_path)
    rogue.key, rogue.certificate = key, ca.issue(board.authority.key, board.authority.certificate, key, ["other"], None)
    rogue.shows = (rogue.certificate,)
    assert board.behind(rogue.context("localhost")) == ("UPDATE_FAIL_SERVER", 0)


def test_an_expired_certificate(board: Board) -> None:
    assert board.behind(board.authority.context("localhost", expired=True)) == ("UPDATE_FAIL_SERVER", 0)


def old(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A server that speaks nothing newer, whatever OpenSSL thinks of that."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.filterwarnings("ignore:.*TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_a_downgrade_of_tls(board: Board, version: str) -> None:
    context = old(board.authority.context("localhost"), ssl.TLSVersion[version])
    with Peer(context, serving(DATA)) as peer:
        assert _takes_any(peer.port) == ssl.TLSVersion[version].name.replace("_", "."), "this server does speak it"
        assert board.fetch(peer.port).startswith("UPDATE_FAIL_SERVER")
        assert not peer.requests


def _takes_any(port: int) -> str | None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.TLSv1
    with socket.create_connection(("127.0.0.1", port)) as plain, client.wrap_socket(plain) as connection:
        return connection.version()


def _flight(board: Board, connection: socket.socket) -> bytes:
    """What an honest server answers to the ClientHello that comes over this connection."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = board.authority.context("localhost").wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(connection.recv(4096))
    with suppress(ssl.SSLWantReadError):
        server.do_handshake()
    return outgoing.read()


STALLS: dict[str, Callable[[bytes], bytes]] = {
    "before a word": lambda flight: b"",
    "in the middle of a record": lambda flight: flight[:40],
    "after its certificate": lambda flight: flight[:-60],
    "when it is the board's turn no more": lambda flight: flight,
}


@pytest.mark.parametrize("where", STALLS)
def test_a_stall_in_the_middle_of_the_handshake(board: Board, where: str) -> None:
    def stall(connection: socket.socket) -> None:
        connection.sendall(STALLS[where](_flight(board, connection)))
        with suppress(OSError):
            while connection.recv(4096):
                pass

    with Raw(stall) as peer:
        assert board.fetch(peer.port).startswith("UPDATE_FAIL_SERVER")
        assert peer.connections == 1


@pytest.mark.parametrize(
    "said",
    [b"\x15\x03\x03\x00\x02\x02\x28", b"\x16\x03\x03\xff\xff" + bytes(9), bytes(4000)],
    ids=["alert", "a record too long", "zeros"],
)
def test_what_is_no_handshake(board: Board, said: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(said)

    with Raw(answer) as peer:
        assert board.fetch(peer.port).startswith("UPDATE_FAIL_SERVER")


# What a slow server can't do


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        made.start()
        yield made


def test_a_server_that_drips_holds_nobody_up(world: World) -> None:
    """A byte now and then, for ever: the board obeys meanwhile, and a newer order takes its place."""

    def drip(connection: ssl.SSLSocket, path: str, headers: dict[str, str]) -> None:
        connection.sendall(head(200, "Content-Length: 20000"))
        with suppress(OSError):
            for _ in range(20_000):
                connection.sendall(b"x")
                time.sleep(0.05)

    world.peer.answer = drip
    slow = world.token()
    world.send(
        world.sign(wire.INITIATE, target=world.device.target, token=slow, url=world.url().encode(), digest=bytes(32))
    )
    while not world.peer.requests:
        time.sleep(0.1)
    assert world.inventory()["version"] == "1.0"
    assert limits.READ_TIMEOUT > 50, "it is never quiet for so long"
    newer = world.initiate(world.bundle(GOOD, "2.0"))
    assert {world.answer(timeout=60), world.answer(timeout=60)} == {(slow, "SUPERSEDED"), (newer, "UPDATE_SUCCESS")}
