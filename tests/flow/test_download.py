"""Step 6 on MicroPython against a real TLS server: every way in which a download goes wrong, and that it comes back."""

import hashlib
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flow.peer import Authority, Peer, head, serving
from tests.unit.on_micropython import ROOT, MicroPythonFailed, run

FETCH = ROOT / "tests" / "flow" / "fetch.py"
DATA = random.Random(1).randbytes(70_001)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def fetch(tmp_path: Path, authority: Authority) -> Callable[..., str]:
    """fetch(port) -> what the device says of it; the file is tmp_path/file."""

    def call(port: int, data: bytes = DATA, attempts: int = 2, most: int = 1_000_000, cut: int = 0, trust: bytes = b""):
        digest = hashlib.sha256(data).hexdigest()
        arguments = [str(port), str(tmp_path / "file"), digest, str(attempts), str(most), str(cut)]
        return run(FETCH, *arguments, stdin=(trust or authority.der).hex() + "\n").strip()

    return call


def test_a_file_arrives_whole(fetch, authority, tmp_path) -> None:
    with Peer(authority.context("localhost"), serving(DATA)) as peer:
        assert fetch(peer.port) == "whole 70001"
    assert (tmp_path / "file").read_bytes() == DATA


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 2049])
def test_sizes_around_the_buffer(fetch, authority, tmp_path, size) -> None:
    with Peer(authority.context("localhost"), serving(DATA[:size])) as peer:
        assert fetch(peer.port, DATA[:size]) == f"whole {size}"
    assert (tmp_path / "file").read_bytes() == DATA[:size]


def test_a_connection_cut_at_ten_places_is_resumed_each_time(fetch, authority, tmp_path) -> None:
    cuts = [0, 1, 2047, 2048, 10_000, 16_384, 16_385, 40_000, 65_536, 70_000]
    with Peer(authority.context("localhost"), serving(DATA, cuts)) as peer:
        assert fetch(peer.port) == "whole 70001"
        assert [request.get("range") for request in peer.requests] == [None, None] + [f"bytes={at}-" for at in cuts[1:]]
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_power_cut_resumes_from_what_is_in_flash(fetch, authority, tmp_path) -> None:
    with Peer(authority.context("localhost"), serving(DATA)) as peer:
        with pytest.raises(MicroPythonFailed, match="exit code 64"):
            fetch(peer.port, cut=40_000)
        kept = (tmp_path / "file").stat().st_size
        assert 16_384 <= kept <= 42_048, "what is synced every 16 KiB survives"
        assert fetch(peer.port) == "whole 70001"
        assert peer.requests[-1]["range"] == f"bytes={kept}-"
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_power_cut_after_the_last_byte_fetches_nothing_again(fetch, authority, tmp_path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    with Peer(authority.context("localhost"), serving(DATA)) as peer:
        assert fetch(peer.port) == "whole 70001"
        assert len(peer.requests) == 1


def test_what_lies_in_flash_and_is_no_part_of_the_file_is_found_out(fetch, authority, tmp_path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(5000))
    with Peer(authority.context("localhost"), serving(DATA)) as peer:
        assert fetch(peer.port).startswith("UPDATE_FAIL_DIGEST")
        assert not (tmp_path / "file").exists(), "and is not kept"
        assert fetch(peer.port) == "whole 70001"


def test_what_lies_in_flash_and_is_longer_than_the_file_is_dropped(fetch, authority, tmp_path) -> None:
    (tmp_path / "file").write_bytes(DATA + b"more")
    with Peer(authority.context("localhost"), serving(DATA)) as peer:
        assert fetch(peer.port) == "whole 70001"


def test_a_server_without_range_is_begun_again(fetch, authority, tmp_path) -> None:
    (tmp_path / "file").write_bytes(DATA[:5000])

    def whole(connection, path, headers):
        connection.sendall(head(200, f"Content-Length: {len(DATA)}") + DATA)

    with Peer(authority.context("localhost"), whole) as peer:
        assert fetch(peer.port) == "whole 70001"
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_server_that_has_it_begin_again_and_again_is_given_up(fetch, authority) -> None:
    """A byte of progress in between would have it go on for ever, and wear the flash out."""
    turns = 0

    def answer(connection, path, headers):
        nonlocal turns
        turns += 1
        connection.sendall(head(416) if "range" in headers else head(200, f"Content-Length: {len(DATA)}") + DATA[:1])

    with Peer(authority.context("localhost"), answer) as peer:
        assert fetch(peer.port, attempts=3).startswith("UPDATE_FAIL_FILE")
    assert turns == 8


def test_another_file_than_was_signed_is_fail_digest(fetch, authority, tmp_path) -> None:
    with Peer(authority.context("localhost"), serving(DATA)) as peer:
        assert fetch(peer.port, DATA + b"!").startswith("UPDATE_FAIL_DIGEST")
    assert not (tmp_path / "file").exists()


def test_no_server_is_fail_server(fetch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    assert fetch(number).startswith("UPDATE_FAIL_SERVER")


def test_a_server_that_hangs_up_before_it_answers_is_fail_server(fetch, authority) -> None:
    with Peer(authority.context("localhost"), lambda *_: None) as peer:
        assert fetch(peer.port).startswith("UPDATE_FAIL_SERVER")
        assert peer.connections == 2, "tried as often as it was told"


def test_a_length_that_stays_wrong_is_fail_file(fetch, authority) -> None:
    def liar(connection, path, headers):
        connection.sendall(head(200, f"Content-Length: {len(DATA) + 1}") + DATA)

    with Peer(authority.context("localhost"), liar) as peer:
        assert fetch(peer.port).startswith("UPDATE_FAIL_FILE")


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (head(404), "UPDATE_FAIL_FILE"),
        (head(410), "UPDATE_FAIL_FILE"),
        (head(500), "UPDATE_FAIL_HTTP"),
        (head(403), "UPDATE_FAIL_HTTP"),
        (head(302, "Location: https://elsewhere/file"), "UPDATE_FAIL_HTTP"),
        (head(200), "UPDATE_FAIL_HTTP"),  # no length
        (head(200, "Content-Length: 3", "Transfer-Encoding: chunked") + b"0\r\n\r\n", "UPDATE_FAIL_HTTP"),
        (head(200, "Content-Length: 3", "Content-Encoding: gzip") + b"abc", "UPDATE_FAIL_HTTP"),
        (head(200, "Content-Length: -1"), "UPDATE_FAIL_HTTP"),
        (head(200, "Content-Length: 5", "Content-Length: 6"), "UPDATE_FAIL_HTTP"),
        (head(206, "Content-Length: 1", "Content-Range: bytes 7-7/8") + b"x", "UPDATE_FAIL_HTTP"),
        (head(200, *["X: y"] * 40), "UPDATE_FAIL_HTTP"),
        (head(200, "X: " + "y" * 600), "UPDATE_FAIL_HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "UPDATE_FAIL_HTTP"),
        (head(200, "Content-Length: 1000001"), "UPDATE_FAIL_SPACE"),
    ],
)
def test_answers_that_are_not_the_file(fetch, authority, reply, status) -> None:
    with Peer(authority.context("localhost"), lambda connection, *_: connection.sendall(reply)) as peer:
        assert fetch(peer.port).startswith(status)
        assert peer.connections == 1, "there is no point in asking again"


def test_a_certificate_of_another_host_is_fail_server(fetch, authority) -> None:
    with Peer(authority.context("example.org"), serving(DATA)) as peer:
        assert fetch(peer.port).startswith("UPDATE_FAIL_SERVER")
        assert not peer.requests


def test_a_certificate_of_another_authority_is_fail_server(fetch, authority, tmp_path) -> None:
    (tmp_path / "other").mkdir()
    with Peer(Authority(tmp_path / "other").context("localhost"), serving(DATA)) as peer:
        assert fetch(peer.port).startswith("UPDATE_FAIL_SERVER")
        assert not peer.requests


def test_an_expired_certificate_is_fail_server(fetch, authority) -> None:
    with Peer(authority.context("localhost", expired=True), serving(DATA)) as peer:
        assert fetch(peer.port).startswith("UPDATE_FAIL_SERVER")
        assert not peer.requests


def test_a_server_without_tls_is_fail_server(fetch, authority) -> None:
    with Peer(None, serving(DATA)) as peer:
        assert fetch(peer.port).startswith("UPDATE_FAIL_SERVER")
