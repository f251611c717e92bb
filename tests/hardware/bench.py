"""The board under test: a real one at a serial port, or the emulated Pico. What they have in common is all that the tests use.

SRUP_PORT    serial port of a real board; without it the tests run on the emulated one. It is taken from whatever fleet it was in
SRUP_HOST    name or address by which the board reaches this machine
SRUP_WIFI    its Wi-Fi network; the password is in the file that SRUP_WIFI_PASSWORD_FILE names
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from srup_host import profiles
from tests.emulator.online import OnlineBoard


class Bench(NamedTuple):
    """port: of the board · host: what it calls this machine · options: of srup provision, for its network"""

    port: str
    host: str
    options: list[str]


def is_real() -> bool:
    return bool(os.environ.get("SRUP_PORT"))


@contextlib.contextmanager
def board(folder: Path, firmware: Path | None) -> Iterator[Bench]:
    """firmware: of the emulated board; None for the real one."""
    if firmware is None:
        wifi = os.environ.get("SRUP_WIFI")
        yield Bench(os.environ["SRUP_PORT"], os.environ["SRUP_HOST"], ["--wifi", wifi] if wifi else ["--no-wifi"])
        return
    with OnlineBoard(folder / "board", firmware, {"localhost", *profiles.NTP}) as emulated:
        yield Bench(emulated.start().port, "localhost", ["--no-wifi"])
