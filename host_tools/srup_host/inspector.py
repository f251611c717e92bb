"""`srup inspect`: what a frame says, without judging it. Any length of any element is shown, as the codec reads it."""

import datetime
import os
import re
import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from srup import limits, p256, status, tokens, wire
from srup.errors import BadSignature, InvalidKey, Malformed
from srup_host import actions, console, files, keyfiles, signing
from srup_host.console import REFUSED, Failure

_HEX = re.compile(rb"\s*(?:0x)?([0-9A-Fa-f\s]*)")
_TEXT = ("url", "name")  # elements shown as text; the others as hex


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="[HEX|FILE|-]", help="The frame: in hex, or a file (binary or hex).", show_default="stdin"
        ),
    ] = "-",
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
    key: Annotated[
        str,
        typer.Option(
            metavar="KEY", help="Say whether this key made the signature: PEM file, or hex.", show_default="no"
        ),
    ] = "",
) -> None:
    """Show what is in a frame, good or not. Exit code 1 if it is no frame at all."""
    public_key = keyfiles.load_public(key) if key else None
    try:
        frame = wire.decode(_read(source))
    except Malformed as error:
        raise Failure(f"malformed: {error}", code=REFUSED) from None
    shown = describe(frame)
    if public_key:
        shown["signature_valid"] = _holds(public_key, frame)
    if json:
        console.print_json(shown)
    else:
        _print(frame, shown)


def describe(frame: wire.Unverified) -> dict[str, Any]:
    """A frame as JSON shows it: numbers as numbers, url and name as text, everything else in hex."""
    shown: dict[str, Any] = {
        "version": wire.VERSION,
        "type": wire.TYPES[frame.type][0],
        "signature": frame.signature.hex(),
    }
    for name, value in frame.elements.items():
        if name in _TEXT:
            shown[name] = value.decode("utf-8", "backslashreplace")
        else:
            shown[name] = value if name in wire.BYTES else value.hex()
    if "status" in shown:
        shown["status_name"] = status.name(shown["status"])
    return shown


def _read(source: str) -> bytes:
    if source == "-":
        return _unhex(sys.stdin.buffer.read())
    if os.path.isfile(source):
        return _unhex(files.read(Path(source)))
    if not _HEX.fullmatch(source.encode()):
        raise Failure(f"{console.shortened(source)} is neither hex nor a file")
    return _unhex(source.encode())


def _unhex(content: bytes) -> bytes:
    """The frame in a file's content. A binary frame begins with 0x01, which no hex does."""
    digits = _HEX.fullmatch(content)
    if not digits:
        return content
    try:
        return bytes.fromhex(digits[1].decode())
    except ValueError:
        raise Malformed("half a byte of hex") from None


def _holds(public_key: bytes, frame: wire.Unverified) -> bool:
    try:
        signing.verify_frame(public_key, frame)
        return True
    except (BadSignature, InvalidKey):
        return False


# For people


def _print(frame: wire.Unverified, shown: dict[str, Any]) -> None:
    console.say(f"{shown['type']}, {len(frame.frame)} bytes", "bold")
    rows = [("signature", f"{len(frame.signature)} B", frame.signature.hex())]
    for name, value in frame.elements.items():
        size = "1 B" if name in wire.BYTES else f"{len(value)} B"
        rows.append((name, size, _in_words(name, value, shown[name])))
    console.columns(rows, ("cyan", "dim"))
    if frame.type == wire.ACTION and frame.elements["parameters"]:
        console.say(f"parameters: {actions.words(frame.elements['action'], frame.elements['parameters'])}")
    if "signature_valid" in shown:
        valid = shown["signature_valid"]
        console.say(
            f"signature {'holds' if valid else 'does not hold'} under the key given", "green" if valid else "red"
        )
    for oddity in oddities(frame):
        console.say(f"note: {oddity}", "yellow")


def _in_words(name: str, value: Any, shown: Any) -> str:
    """The value, and what it means where that can't be read off."""
    if name == "status":
        return f"0x{value:02X} {status.name(value)}"
    if name == "action":
        return f"0x{value:02X} {actions.name(value)}"
    if name == "target" and len(value) == limits.UUID:
        return str(uuid.UUID(bytes=value)) + (" (a group)" if value[6] >> 4 == 5 else "")
    if name == "token" and tokens.is_token(value):
        return f"{value.hex()} ({_time(tokens.milliseconds(value))})"
    return str(shown)


def _time(milliseconds: int) -> str:
    """UTC, to the millisecond. 48 bits reach past the year 9999, where datetime ends."""
    try:
        moment = datetime.datetime.fromtimestamp(milliseconds // 1000, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return "after the year 9999"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03d} UTC"


def oddities(frame: wire.Unverified) -> list[str]:
    """What a device would not expect to see here."""
    found = []
    try:
        wire.check_sizes(frame)
    except Malformed as error:
        found.append(f"a device takes it for malformed: {error}")
    if len(frame.signature) == limits.SIGNATURE and not p256.is_low_s(frame.signature):
        found.append("the signature is high-S: refused")
    elements = frame.elements
    if "token" in elements and not tokens.is_token(elements["token"]):
        found.append("the token is not a UUIDv7")
    target = elements.get("target", b"")
    if len(target) == limits.UUID and target[6] >> 4 not in (4, 5):
        found.append("the target is neither a device (UUIDv4) nor a group (UUIDv5)")
    if "url" in elements and not elements["url"].startswith(b"https://"):
        found.append("the url does not begin with https://")
    if "status" in elements and status.name(elements["status"]).startswith("0x"):
        found.append("the status is not in the table")
    return found
