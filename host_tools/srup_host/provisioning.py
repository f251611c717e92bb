"""A board with MicroPython on it, and nothing else, becomes one of the fleet: over USB, without its private key ever leaving it."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from srup_host import combs, deploy, device_tree, membership, native
from srup_host.deploy import Connection, Progress
from srup_host.fleet import Device, Fleet

_LOOK = """
import sys
try:
    import srup
    where = srup.__file__
except ImportError:
    where = "/"
print(getattr(sys.implementation, "_mpy", 0), where)
"""

# Run on the board, by its own packages: /lib has them by now.
_MAKE_KEYS = """
import os
from srup import keys, port
try:
    os.mkdir("/{data}")
except OSError:
    pass
print(port.BOARD, port.mpy())
for name, share in (("device", "{share}"), ("sealing", "{other}")):
    print(keys.create_device_key("/{data}/" + name + ".key", bytes.fromhex(share)).hex())
"""


def provision(
    port: str,
    fleet: Fleet,
    name: str,
    *,
    application: Path | None = None,
    version: str = "1.0",
    settings: Mapping[str, object] | None = None,
    progress: Progress = lambda path, done, total: None,
) -> Device:
    """Copy the device's software onto the board at this serial port, let it make its keys, enrol it in the fleet, and start it.

    application, version, settings: as for `membership.enrol`. progress: told of each piece copied. Raises Failure; the fleet
    then does not have the board.
    """
    with deploy.connected(port) as board:
        number, where = board.run(_LOOK).split()
        processor = native.processor(int(number))
        board.put(_software(processor, frozen=not where.startswith("/")), progress)
        newcomer = make_keys(board, name)
        if processor:
            board.put(combs.tables(device_tree.DATA, fleet.public_key("command")), progress)
        device = membership.enrol(
            fleet,
            newcomer,
            lambda contents: board.put(contents, progress),
            application=application,
            version=version,
            settings=settings,
        )
        board.reset()
    return device


def _software(processor: str, frozen: bool) -> dict[str, bytes]:
    """The device's software, and native code for its processor; that code alone where the rest is frozen into the firmware."""
    if not frozen:
        return device_tree.device_files(processor=processor)
    return {f"lib/{name}": data for name, data in native.compiled(processor).items()}


def make_keys(board: Connection, name: str) -> membership.Newcomer:
    """Let the board make its key pairs, one to sign and one for sealed bundles, once and for ever; what it says of itself."""
    script = _MAKE_KEYS.format(data=device_tree.DATA, share=secrets.token_hex(32), other=secrets.token_hex(32))
    kind, mpy, public_key, sealing_key = board.run(script).split()
    return membership.Newcomer(name, kind, mpy, bytes.fromhex(public_key), bytes.fromhex(sealing_key))
