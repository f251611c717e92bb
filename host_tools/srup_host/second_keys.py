"""Two keys on two machines: a request that the server's machine writes, and the signature that the authority's gives back.

Both are JSON files for a memory stick. The request names everything that the second signature is over, so that whoever holds the
authority key reads what that orders, and of whom, before it is signed.
"""

import datetime
import json
import sys
import uuid
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

import typer

from srup import limits, second, tokens, wire
from srup_host import actions, console, files, signing
from srup_host.console import Failure

_SIZES = {"token": limits.TOKEN, "nonce": second.NONCE}


@dataclass(frozen=True)
class Request:
    """own: the action's own parameters; own, token, nonce: in hex. nonce: the device's, of the start that it is in."""

    fleet: str
    device: str
    uuid: str
    action: str
    own: str
    token: str
    nonce: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises Failure for what is no request, and for one that is signed already."""
        said = _load(path)
        if isinstance(said, dict) and said.keys() == {"request", "proof"}:
            raise Failure(f"{path} is signed already", f"send it: srup send action DEVICE ACTION --second {path}")
        return cls._of(path, said)

    @classmethod
    def _of(cls, path: Path, said: object) -> Self:
        try:
            if not isinstance(said, dict) or said.keys() != {field.name for field in fields(cls)}:
                raise ValueError("it does not say what a request says")
            request = cls(**said)
            if not all(isinstance(value, str) for value in asdict(request).values()):
                raise ValueError("a value that is no text")
            for name, size in _SIZES.items():
                if len(bytes.fromhex(getattr(request, name))) != size:
                    raise ValueError(f"a {name} of another size")
            bytes.fromhex(request.own)
            uuid.UUID(request.uuid)
            actions.number(request.action)
            return request
        except (TypeError, ValueError) as error:
            raise Failure(f"{path} is no request for a second signature: {error}") from None

    def elements(self) -> dict[str, bytes | int]:
        """Of the ACTION, with its own parameters alone."""
        return {
            "target": uuid.UUID(self.uuid).bytes,
            "token": bytes.fromhex(self.token),
            "action": actions.number(self.action),
            "parameters": bytes.fromhex(self.own),
        }

    def write(self, path: Path) -> None:
        files.replace(path, json.dumps(asdict(self), indent=1).encode() + b"\n")

    def show(self) -> None:
        made = datetime.datetime.fromtimestamp(tokens.milliseconds(bytes.fromhex(self.token)) / 1000, datetime.UTC)
        rows = {
            "fleet": self.fleet,
            "device": f"{self.device} ({self.uuid})",
            "action": self.action,
            "parameters": actions.words(actions.number(self.action), bytes.fromhex(self.own)) or "none",
            "ordered": f"{made:%Y-%m-%d %H:%M:%S} UTC",
            "nonce": self.nonce,
        }
        for what, said in rows.items():
            console.note(f"{what:<12}{said}")

    def sign(self, authority: signing.PrivateKey) -> bytes:
        """The proof: nonce and second signature."""
        return signing.second_signature(authority, wire.ACTION, self.elements(), bytes.fromhex(self.nonce))


def write_signed(path: Path, request: Request, proof: bytes) -> None:
    files.replace(path, json.dumps({"request": asdict(request), "proof": proof.hex()}, indent=1).encode() + b"\n")


def read_signed(path: Path, authority: bytes) -> tuple[Request, bytes]:
    """(request, proof). authority: the fleet's public authority key. Raises Failure unless that signed it."""
    said = _load(path)
    if not isinstance(said, dict) or "proof" not in said:
        raise Failure(f"{path} has no second signature", "srup sign second makes one of a request")
    request = Request._of(path, said.get("request"))
    try:
        proof = bytes.fromhex(said["proof"])
        elements = request.elements()
        signed = second.signed(
            wire.ACTION,
            elements["target"],
            elements["token"],
            elements["action"],
            elements["parameters"],
            bytes.fromhex(request.nonce),
        )
        signing.verify(authority, signed, proof[second.NONCE :])
    except (ValueError, TypeError, signing.BadSignature):
        raise Failure(f"{path} is not signed with the fleet's authority key") from None
    return request, proof


def ask_for_name(name: str, given: str, what: str) -> None:
    """Whoever orders what can't be undone types the device's name. given: on the command line, for scripts."""
    if not given:
        if not sys.stdin.isatty():
            raise Failure(f"{what} can't be undone from here", f"--name {name} says in a script that it is meant")
        given = typer.prompt(f"{what}. The device's name, to go on", err=True)
    if given != name:
        raise Failure(f"{console.shortened(given)} is not the name of the device", "nothing was done")


def _load(path: Path) -> object:
    try:
        return json.loads(files.read(path))
    except ValueError:
        raise Failure(f"{path} is no JSON") from None
