"""Sockets to listen on, and the TLS that the fleet's own authority vouches for."""

import socket
import ssl

from srup_host.console import Failure
from srup_host.fleet import Fleet

_BACKLOG = 128
_TRIES = 16


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host` ("" for all of the machine's), all on one port; 0 chooses a free one."""
    for _ in range(_TRIES):
        sockets: list[socket.socket] = []
        try:
            for family, address in _addresses(host):
                sockets.append(_listening(family, address, sockets[0].getsockname()[1] if sockets else port))
            return sockets
        except OSError as error:
            for opened in sockets:
                opened.close()
            if port or not sockets:
                where = f"{host or 'this machine'}, port {port}"
                raise Failure(
                    f"can't listen on {where}: {error.strerror}", "is another server running there?"
                ) from None
    raise Failure(f"no port is free on all addresses of {host}")


def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    if not host:
        return [(socket.AF_INET6, "::")] if socket.has_dualstack_ipv6() else [(socket.AF_INET, "0.0.0.0")]  # noqa: S104 - a server
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Failure(f"no address of {host}: {error.strerror}") from None
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _listening(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    everywhere = address == "::"
    opened = socket.create_server((address, port), family=family, backlog=_BACKLOG, dualstack_ipv6=everywhere)
    opened.setblocking(False)
    return opened


def port_of(sockets: list[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1])


def server_context(fleet: Fleet, most: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> ssl.SSLContext:
    """The server's side, with the fleet's server certificate. TLS 1.2 or newer, up to `most` (boards speak 1.2 only)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = most
    try:
        context.load_cert_chain(fleet.server, fleet.server_key, password=lambda: b"")
    except (OSError, ssl.SSLError) as error:
        raise Failure(f"the server certificate {fleet.server} can't be used: {error}") from None
    return context


def client_context(fleet: Fleet) -> ssl.SSLContext:
    """The client's side: the fleet's authority and no other, names checked."""
    try:
        context = ssl.create_default_context(cafile=str(fleet.ca))
    except (OSError, ssl.SSLError) as error:
        raise Failure(f"the CA certificate {fleet.ca} can't be used: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
