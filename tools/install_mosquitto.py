"""Put the Mosquitto broker into .cache/bin for the tests: the system's if there is one, else Debian's, unpacked.

Nothing is installed into the system, so no service of it ever sits on port 1883, and no root is needed.
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import debian
from steps import BIN, Failed, run, write_script

SBIN = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"

PACKAGES = [
    "mosquitto",
    "libmosquitto1",
    "libc6",
    "libcap2",
    "libcjson1",
    "libdlt2",
    "libssl3t64",
    "libsystemd0",
    "libwebsockets19t64",
    "libwrap0",
    "libzstd1",
    "zlib1g",
]


def main() -> None:
    found = shutil.which("mosquitto", path=f"{os.environ['PATH']}:{SBIN}")
    if found and Path(found).parent.resolve() != BIN.resolve():
        print(f"Using the Mosquitto that is on this machine: {found}", flush=True)
        write_script("mosquitto", f'exec {shlex.quote(found)} "$@"')
        return
    print("Installing the Mosquitto broker into .cache/debian (a few seconds: 7 MB, once) ...", flush=True)
    debian.unpack(PACKAGES, "mosquitto")
    write_script("mosquitto", debian.launcher("mosquitto", "usr/sbin/mosquitto"))
    if b"mosquitto version" not in subprocess.run([BIN / "mosquitto", "-h"], check=False, capture_output=True).stdout:
        raise Failed("Debian's Mosquitto does not start here; install mosquitto with the system's package manager")


if __name__ == "__main__":
    run(main)
