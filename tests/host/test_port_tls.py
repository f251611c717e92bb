"""port.tls_wrap and port.tls_error against real servers: who is trusted, and which fault is called what.

Each test runs on CPython and on MicroPython. The servers speak TLS 1.2 at most, as boards do.
"""

import contextlib
import datetime
import socket
import ssl
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from srup_host import ca, keyfiles
from tests.unit import on_micropython

CLIENT = Path(__file__).with_name("tls_client.py")
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    def __init__(self, directory, name, now=NOW):
        self.directory = directory
        self.key, self.certificate = ca.create(name, now)
        self.path = directory / f"{name}.der"
        self.path.write_bytes(self.certificate.public_bytes(Encoding.DER))

    def issue(self, *hosts, until=None):
        """Certificate and key for a server, in one PEM file."""
        key = keyfiles.generate()
        certificate = ca.issue(self.key, self.certificate, key, hosts, until)
        path = self.directory / f"{certificate.serial_number:x}.pem"
        path.write_bytes(keyfiles.private_pem(key) + ca.pem(certificate))
        return path


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), "ours")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), "other")


@contextlib.contextmanager
def server(handle):
    """Serve one connection at a time with `handle(connection)`; its port number."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.settimeout(10)
                    with connection, contextlib.suppress(OSError):
                        handle(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def tls(certificate, version=ssl.TLSVersion.TLSv1_2):
    """A handler that answers `hello` over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # which OpenSSL asks for before it speaks TLS 1.1
    context.load_cert_chain(certificate)
    context.minimum_version = context.maximum_version = version

    def handle(connection):
        with context.wrap_socket(connection, server_side=True) as stream:
            stream.recv(100)
            stream.sendall(b"hello")
            stream.unwrap()

    return handle


def on_cpython(*arguments):
    done = subprocess.run([sys.executable, CLIENT, *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def on_the_device(*arguments):
    return on_micropython.run(CLIENT, *arguments)


@pytest.fixture(params=[on_cpython, on_the_device], ids=["cpython", "micropython"])
def get(request):
    """get(handler, [authorities], name) -> what the client prints"""

    def run(handler, authorities, name="localhost"):
        with server(handler) as number:
            return request.param(str(number), name, *(str(each.path) for each in authorities)).strip()

    return run


HELLO = "answer b'hello'"


def test_a_server_of_the_fleet_is_trusted(get, authority):
    assert get(tls(authority.issue("localhost")), [authority]) == HELLO


def test_so_is_one_named_by_its_address(get, authority):
    assert get(tls(authority.issue("127.0.0.1")), [authority], "127.0.0.1") == HELLO


@pytest.mark.parametrize("order", [1, -1])
def test_each_of_several_authorities_is_enough(get, authority, other, order):
    both = [authority, other][::order]
    assert get(tls(authority.issue("localhost")), both) == HELLO
    assert get(tls(other.issue("localhost")), both) == HELLO


def test_another_authoritys_server(get, authority, other):
    assert get(tls(other.issue("localhost")), [authority]).startswith("tls ")


def test_no_authority_trusts_nobody(get, authority):
    assert get(tls(authority.issue("localhost")), []).startswith("tls ")


def test_an_authority_that_is_no_certificate(get, authority, tmp_path):
    broken = Authority(tmp_path, "broken")
    broken.path.write_bytes(b"no certificate")
    assert get(tls(authority.issue("localhost")), [broken]).startswith("tls ")


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1"])
def test_a_server_of_another_name(get, authority, name):
    assert get(tls(authority.issue("localhost")), [authority], name).startswith("tls ")


def test_a_certificate_that_has_expired(get, authority):
    certificate = authority.issue("localhost", until=NOW - datetime.timedelta(hours=1))
    assert get(tls(certificate), [authority]).startswith("tls ")


def test_a_certificate_that_is_not_yet_valid(get, tmp_path):
    future = Authority(tmp_path, "future", NOW + 10 * DAY)
    assert get(tls(future.issue("localhost")), [future]).startswith("tls ")


def test_a_server_that_speaks_no_tls(get, authority):
    def handle(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    assert get(handle, [authority]).startswith("tls ")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_a_server_of_an_old_protocol(get, authority):
    handler = tls(authority.issue("localhost"), ssl.TLSVersion.TLSv1_1)
    assert get(handler, [authority]).startswith("tls ")


def hang_up(connection):
    connection.recv(1)


def hang_up_at_once(connection):
    pass


def hang_up_after_hello(connection):
    connection.recv(1000)
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection):
    connection.recv(1000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("handle", [hang_up, hang_up_at_once, hang_up_after_hello, reset])
def test_a_connection_that_breaks_in_the_handshake_is_the_networks_fault(get, authority, handle):
    assert get(handle, [authority]).startswith("network ")


@pytest.mark.parametrize("run", [on_cpython, on_the_device])
def test_nobody_listens(run, authority):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
    assert run(str(number), "localhost", str(authority.path)).startswith("network ")
