"""What a command line says, as a frame has it: devices by name, tokens, bytes, urls. Raises Failure for what makes no sense."""

import os
import time
import uuid
from pathlib import Path

from srup import limits, tokens
from srup.download import split_url
from srup.errors import UpdateFailed
from srup_host import console, files
from srup_host.console import Failure
from srup_host.fleet import Fleet


def target(text: str, fleet_dir: Path | None) -> bytes:
    """A device by its UUID or its name in the fleet, or group:NAME. 16 bytes."""
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        pass  # a name, then
    home = Fleet.open(fleet_dir)
    group = text.removeprefix("group:")
    return home.device(text).target if group == text else home.group(group).bytes


def token(text: str) -> bytes:
    """The token given in hex, or a new one of now. 16 bytes."""
    if text:
        return hexadecimal("token", text, limits.TOKEN)
    return tokens.mint(time.time_ns() // 1_000_000, tokens.ZERO, os.urandom(8))


def hexadecimal(what: str, text: str, size: int) -> bytes:
    """`size` bytes in hex. what: their name, for people."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise Failure(f"the {what} {console.shortened(text)} is not hex") from None
    if len(value) != size:
        raise Failure(f"the {what} has {len(value)} bytes, not {size}")
    return value


def octets(text: str) -> bytes:
    """Text; or bytes as hex:…; or a file's contents as @FILE."""
    if text.startswith("@"):
        return files.read(Path(text[1:]))
    if not text.startswith("hex:"):
        return text.encode()
    try:
        return bytes.fromhex(text[4:])
    except ValueError:
        raise Failure(f"{console.shortened(text)} is not hex") from None


def url(text: str, home: Fleet | None) -> bytes:
    """The url, held to the device's own rule; which hosts the device allows is known to the device alone."""
    authority = text.removeprefix("https://").partition("/")[0]
    server = authority if ":" in authority else f"{authority}:443"
    try:
        split_url(text.encode(), [server])
    except UpdateFailed as error:
        raise Failure(f"a device would refuse the url {text}: {error.why}") from None
    if home and server not in home.allow:
        console.warn(f"{server} is not on the fleet's allow-list ({', '.join(home.allow)})")
    return text.encode()
