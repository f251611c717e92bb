"""What files go onto a board, and where (docs/design.md, Slots; the counterpart for mip is firmware/package.json).

/boot.py /main.py       as source: the firmware looks for these two names
/lib/srup/…             the base agent
/lib/srup_boot/…        the boot part
/lib/umqtt/simple       from micropython-lib, unmodified
/lib/p256_…             native code, for the board's processor
"""

import inspect
import json
from pathlib import Path

import srup
import srup_boot
from srup_boot import record
from srup_host import files, native, sources
from srup_host.console import Failure

DATA: str = inspect.signature(record.load).parameters["root"].default.strip("/")  # of what a board is given, or writes
HOST_ONLY = "srup/port/cpython.py"  # no board has use for it

_SRUP = Path(srup.__file__).resolve().parent
_BOOT = Path(srup_boot.__file__).resolve().parent
_CHECKOUT = _SRUP.parents[1]
_PACKAGE = """{
 "urls": [
%s
 ],
 "deps": [
  ["umqtt.simple", "latest"],
  ["hashlib", "latest"]
 ],
 "version": %s
}
"""
_LIBRARY = _CHECKOUT / ".cache" / "micropython-lib"


def package_files() -> dict[str, Path]:
    """What goes into /lib of what this project has written: path there -> file here."""
    found = {f"srup/{path.relative_to(_SRUP).as_posix()}": path for path in _SRUP.rglob("*.py")}
    found |= {f"srup_boot/{path.name}": path for path in _BOOT.glob("*.py") if path.name != "boot.py"}
    del found[HOST_ONLY]
    return dict(sorted(found.items()))


def package_json() -> str:
    """firmware/package.json, by which mip installs the packages from wherever a checkout is served."""
    boot, agent = _BOOT.name, _SRUP.name
    urls = [[name, name.replace("srup_boot/", f"{boot}/").replace("srup/", f"{agent}/")] for name in package_files()]
    listed = ",\n".join(f"  {json.dumps(url)}" for url in urls)
    return _PACKAGE % (listed, json.dumps(srup.__version__))


def device_files(compiled: bool = True, processor: str = "") -> dict[str, bytes]:
    """Everything that a board has before it is provisioned: path from the root, without the first slash -> contents.

    compiled: the packages as .mpy, or as source. In .mpy a traceback names the agent's functions and no lines of theirs, which would
    take 3 KB more of the heap in an update; an application's lines are there. processor: for which native code is added, see srup_host.native.
    """
    library = {f"lib/{name}": files.read(path) for name, path in package_files().items()}
    library["lib/umqtt/simple.py"] = _umqtt()
    starters = {"boot.py": files.read(_BOOT / "boot.py"), "main.py": files.read(_SRUP.parent / "main.py")}
    library = sources.compile_all(library, lines=False) if compiled else library
    return starters | library | {f"lib/{name}": data for name, data in native.compiled(processor).items()}


def _umqtt() -> bytes:
    path = _LIBRARY / "umqtt" / "simple.py"
    if not path.is_file():
        raise Failure("umqtt.simple is not installed", "run `make setup` in the checkout")
    return files.read(path)


if __name__ == "__main__":
    print(package_json(), end="")  # > firmware/package.json
