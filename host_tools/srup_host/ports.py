"""Serial ports: at which there may be a board, and why one can't be opened."""

import errno
import os
from typing import NamedTuple

import serial
from serial.tools import list_ports

from srup_host.console import Failure

# USB vendors of boards, and of the serial chips on boards.
_VENDORS = {
    0x2E8A: "Raspberry Pi (RP2040, RP2350)",
    0x303A: "Espressif (ESP32-C3, -S3)",
    0x10C4: "Silicon Labs CP210x, as on many ESP32 boards",
    0x1A86: "WCH CH34x, as on many ESP32 boards",
    0x0403: "FTDI, as on some ESP32 boards",
    0xF055: "MicroPython",
}


class Port(NamedTuple):
    """port: its path, or COM… · what: of what make it is · serial: the number by which a board is told from another"""

    port: str
    what: str
    serial: str


class InUse(Failure):
    """Another program has the port."""


def candidates() -> list[Port]:
    """The USB serial ports of this machine; those that look like a board's first."""
    found = sorted(
        (port for port in list_ports.comports() if port.vid), key=lambda port: (port.vid not in _VENDORS, port.device)
    )
    return [Port(port.device, _VENDORS.get(port.vid, port.description), port.serial_number or "") for port in found]


def not_opened(port: str) -> Failure:
    """Why this port can't be opened, and what to do about it."""
    try:
        serial.Serial(port, exclusive=True).close()
    except (serial.SerialException, OSError) as error:
        number = error.errno
    else:
        return InUse(f"{port} was in use by another program", "try again")
    if number in (errno.EACCES, errno.EPERM):
        hint = "sudo usermod -aG dialout $USER, and log in again" if os.name == "posix" else "run it as one who may"
        return Failure(f"you may not open {port}", hint)
    if number in (errno.EAGAIN, errno.EBUSY):
        return InUse(f"{port} is in use by another program", "close it: a terminal, an IDE, another mpremote")
    others = ", ".join(other.port for other in candidates())
    return Failure(f"there is no port {port}", f"there are: {others}" if others else "is the board plugged in?")
