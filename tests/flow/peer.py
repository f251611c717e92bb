"""An HTTPS server that does what a test tells it, wrong things too; TLS capped at 1.2, as a stock board's is."""

import datetime
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from srup_host import ca, keyfiles
from srup_host.fleet import Fleet
from srup_host.signing import PrivateKey

Answer = Callable[[socket.socket, str, dict[str, str]], None]


class Authority:
    """A CA for one test, and certificates by it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.key, self.certificate = ca.create("test")
        self.der = self.certificate.public_bytes(Encoding.DER)
        self.shows: tuple[x509.Certificate, ...] = ()  # by its servers, behind their own

    def adopt(self, fleet: Fleet) -> None:
        """Be the authority of this fleet."""
        self.key = keyfiles.load_private(fleet.ca_key)
        self.certificate = x509.load_pem_x509_certificate(fleet.ca.read_bytes())

    def context(self, *hosts: str, expired: bool = False) -> ssl.SSLContext:
        key = keyfiles.generate()
        yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        return self._loaded(key, ca.issue(self.key, self.certificate, key, hosts, yesterday if expired else None))

    def _loaded(self, key: PrivateKey, certificate: x509.Certificate) -> ssl.SSLContext:
        pem = self.folder / "server.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem.write_bytes(private + b"".join(each.public_bytes(Encoding.PEM) for each in (certificate, *self.shows)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(pem)
        return context


class Peer:
    """Answers each connection with `answer(connection, path, headers)`, one after the other, until the context ends."""

    def __init__(self, context: ssl.SSLContext | None, answer: Answer):
        self.context = context
        self.answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[dict[str, str]] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._thread.join(10)

    def close(self) -> None:
        """From now on nobody answers on this port."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, suppress(OSError):
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        if self.context is None:  # a web server without TLS, met with a ClientHello
            connection.recv(4096)
            connection.sendall(head(400))
            return
        connection = self.context.wrap_socket(connection, server_side=True)
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(4096)
                if not piece:
                    return
                request += piece
            lines = request.decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            self.requests.append(headers)
            self.answer(connection, lines[0].split()[1], headers)


class Raw(Peer):
    """Hands each connection to `converse(connection)` as it comes, before any TLS."""

    def __init__(self, converse: Callable[[socket.socket], None]):
        super().__init__(None, lambda *_: None)
        self.converse = converse

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        self.converse(connection)


def serving(data: bytes, cut_at: list[int] | None = None) -> Answer:
    """A well-behaved file server with Range; with `cut_at` it hangs up at these offsets of the file, once each."""
    cuts = list(cut_at or [])

    def answer(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        start = int(headers["range"].removeprefix("bytes=").rstrip("-")) if "range" in headers else 0
        if start and start >= len(data):
            connection.sendall(head(416, "Content-Length: 0", f"Content-Range: bytes */{len(data)}"))
            return
        body = data[start:]
        span = [f"Content-Range: bytes {start}-{len(data) - 1}/{len(data)}"] if "range" in headers else []
        connection.sendall(head(206 if span else 200, f"Content-Length: {len(body)}", *span))
        if cuts:
            body = data[start : max(start, cuts.pop(0))]
        connection.sendall(body)

    return answer


def head(code: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {code} So", *headers, "", ""]).encode()
