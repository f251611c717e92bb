"""Put `micropython` (the unix port, 1.25 or later) into .cache/bin: the one on PATH if it will do, else Debian's."""

import shlex
import shutil
import subprocess
from pathlib import Path

import debian
from steps import BIN, run, write_script

PACKAGES = ["micropython", "libc6", "libffi8", "libmbedtls21", "libmbedcrypto16", "libmbedx509-7"]
# What the device package needs of a build; some distributions leave parts out.
PROBE = """
import asyncio, cryptolib, deflate, hashlib, sys, tls, vfs
assert hasattr(vfs, "VfsLfs2") and sys.implementation[1] >= (1, 25)
"""


def main() -> None:
    found = shutil.which("micropython")
    if found and Path(found).parent.resolve() != BIN.resolve() and will_do(found):
        print(f"Using the MicroPython that is on PATH: {found}", flush=True)
        write_script("micropython", f'exec {shlex.quote(found)} "$@"')
        return
    print("Installing MicroPython for unix into .cache/debian (a few seconds: 4 MB, once) ...", flush=True)
    debian.unpack(PACKAGES, "micropython")
    write_script("micropython", debian.launcher("micropython", "usr/bin/micropython"))
    subprocess.run([BIN / "micropython", "-c", PROBE], check=True)


def will_do(program: str) -> bool:
    return subprocess.run([program, "-c", PROBE], check=False, capture_output=True).returncode == 0


if __name__ == "__main__":
    run(main)
