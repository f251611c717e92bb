"""Wi-Fi networks for a board. A password is typed, or comes from a file: on a command line everybody on the machine could read it."""

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from srup_host import files
from srup_host.console import Failure

_SSID = 32  # bytes (IEEE 802.11)
_PASSPHRASE = range(8, 64)  # characters of WPA2's (IEEE 802.11i); or none


def networks(names: Sequence[str], password_file: Path | None) -> list[dict[str, str]]:
    """As config.json has them, in this order. password_file: a line for each name, empty for a network without a password.

    Raises Failure, also where a password would have to be asked for and nobody is there."""
    if password_file:
        lines = files.read(password_file).decode("utf-8", "replace").splitlines()
        if len(lines) < len(names):
            raise Failure(f"{password_file} has {len(lines)} passwords for {len(names)} networks", "one a line")
    else:
        lines = [_ask(name) for name in names]
    return [_network(name, password) for name, password in zip(names, lines, strict=False)]


def ask_name() -> str:
    """Ask for the name of a network. Raises Failure where nobody is there."""
    if not sys.stdin.isatty():
        raise Failure("which Wi-Fi is the board to use?", "--wifi NAME, and --wifi-password-file FILE; or --no-wifi")
    sys.stderr.write("Name of the Wi-Fi network: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _ask(name: str) -> str:
    if not sys.stdin.isatty():
        raise Failure(f"password of the Wi-Fi {name!r}: there is nobody to ask", "--wifi-password-file FILE")
    return getpass.getpass(f"Password of the Wi-Fi {name!r} (empty for none): ")


def _network(name: str, password: str) -> dict[str, str]:
    if not 0 < len(name.encode()) <= _SSID:
        raise Failure(f"{name!r} is no name of a Wi-Fi network", f"1 to {_SSID} bytes")
    if password and len(password) not in _PASSPHRASE:
        raise Failure(f"the password of the Wi-Fi {name!r} has {len(password)} characters", "8 to 63, or none")
    return {"ssid": name} | ({"password": password} if password else {})
