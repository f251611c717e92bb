"""MQTT passwords: one for each device and one for the server itself, all drawn at random, none of them a default.

    mqtt/<user>        the hash of a user's password, as a line of Mosquitto's password file (PBKDF2, SHA-512)
    mqtt/server.json   the server's own user name and password, 0600

A password has 192 random bits, so the hash need not be slow: it only keeps a copy of the directory from being of use.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from pathlib import Path
from typing import NamedTuple

from srup_host import files
from srup_host.console import Failure
from srup_host.fleet import Fleet

SERVER = "srup-server"

_USER = re.compile(r"[A-Za-z0-9-]{1,64}")
_BYTES = 24
_ROUNDS = 101  # Mosquitto's own figure
_SALT = 12


class Login(NamedTuple):
    user: str
    password: str


def issue(fleet: Fleet, user: str) -> str:
    """A new password for `user`, a device's UUID. It is shown here and nowhere else; an earlier one is void."""
    if not _USER.fullmatch(user):
        raise Failure(f"{user!r} is no MQTT user")
    password = secrets.token_urlsafe(_BYTES)
    files.replace(_directory(fleet) / user, f"{user}:{_hashed(password, secrets.token_bytes(_SALT))}\n".encode(), 0o600)
    return password


def check(fleet: Fleet, user: str, password: str) -> bool:
    """True if `user` is known and this is its password."""
    path = _directory(fleet) / user
    if not _USER.fullmatch(user) or not path.is_file():
        return False
    known = files.read(path).decode().strip().partition(":")[2]
    _, _, rounds, salt, _ = known.split("$")
    return hmac.compare_digest(known, _hashed(password, base64.b64decode(salt), int(rounds)))


def revoke(fleet: Fleet, user: str) -> None:
    if _USER.fullmatch(user):
        (_directory(fleet) / user).unlink(missing_ok=True)


def server(fleet: Fleet) -> Login:
    """The server's own login, made when it is first asked for."""
    path = _directory(fleet) / "server.json"
    if not path.exists():
        files.write_new(path, json.dumps(Login(SERVER, issue(fleet, SERVER))._asdict()).encode() + b"\n", 0o600)
    try:
        return Login(**json.loads(files.read(path)))
    except (ValueError, TypeError):
        raise Failure(f"{path} is damaged", "remove it: a new one is made") from None


def users(fleet: Fleet) -> list[str]:
    """All that have a password."""
    return sorted(path.name for path in _directory(fleet).iterdir() if _USER.fullmatch(path.name))


def mosquitto_lines(fleet: Fleet) -> str:
    """All users, as Mosquitto's password_file."""
    return "".join(files.read(_directory(fleet) / user).decode() for user in users(fleet))


def _directory(fleet: Fleet) -> Path:
    directory = fleet.directory / "mqtt"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def _hashed(password: str, salt: bytes, rounds: int = _ROUNDS) -> str:
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
