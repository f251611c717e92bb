"""Native code for P-256, compiled for a board's processor: `python -m srup_host.native` -> build/native (docs/p256.md).

One source serves all processors that MicroPython can make code for; on the RP2040 another kernel, in assembler, is faster.
"""

import json
import sys
from pathlib import Path

import srup
from srup_host import files, sources
from srup_host.console import Failure

PROCESSORS = ("armv6m", "armv7m", "armv7emsp", "xtensawin", "rv32imc", "x64")
KERNELS = {"viper": ("p256_field", "p256_numbers"), "thumb": ("p256_thumb",)}
_PARTS = ("build", "comb", "files", "formulas", "kernel", "nonce", "reference")
MODULES = ["__init__", "errors", "limits", "p256", *(f"p256_{part}" for part in _PARTS)]

_SRUP = Path(srup.__file__).resolve().parent
_NATIVE = _SRUP.parents[1] / "native"
_CODES = {
    2: "x64",
    4: "armv6m",
    5: "armv7m",
    6: "armv7m",
    7: "armv7emsp",
    8: "armv7emsp",
    10: "xtensawin",
    11: "rv32imc",
}


def processor(mpy: int) -> str:
    """The one of PROCESSORS whose code a board with this sys.implementation._mpy loads, or "" for none."""
    return _CODES.get(mpy >> 10, "")


def kernel_for(processor: str) -> str:
    return "thumb" if processor == "armv6m" else "viper"


def compiled(processor: str, kernel: str = "") -> dict[str, bytes]:
    """File name -> contents, of the kernel that is best there, or of another; nothing for "". Raises Failure."""
    if not processor:
        return {}
    names = KERNELS[kernel or kernel_for(processor)]
    return {f"{name}.mpy": sources.compile_native(_NATIVE / f"{name}.py", processor) for name in names}


def package(processor: str) -> dict[str, bytes]:
    """ECDSA alone, for any project: what `mip install` takes from a folder, package.json included."""
    contents = {f"srup/{name}.py": files.read(_SRUP / f"{name}.py") for name in MODULES} | compiled(processor)
    urls = [[name, name] for name in sorted(contents)]
    described = {"urls": urls, "deps": [], "version": srup.__version__}
    return contents | {"package.json": json.dumps(described, indent=1).encode() + b"\n"}


def write(target: Path) -> None:
    """A folder for each processor, and a line that tells of it."""
    for name in PROCESSORS:
        for path, contents in package(name).items():
            (target / name / path).parent.mkdir(parents=True, exist_ok=True)
            (target / name / path).write_bytes(contents)
        print(f"{target / name}: {kernel_for(name)}", flush=True)


if __name__ == "__main__":
    try:
        write(_SRUP.parents[1] / "build" / "native")
    except Failure as failure:
        sys.exit(str(failure))
