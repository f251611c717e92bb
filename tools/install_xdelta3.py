"""Put xdelta3 into .cache/bin, for `make bench-bundle` to compare with: always Debian's, so that the figures are the same."""

import subprocess

import debian
from steps import BIN, run, write_script

PACKAGES = ["xdelta3", "libc6", "liblzma5"]


def main() -> None:
    print("Installing xdelta3 into .cache/debian (a few seconds: 3 MB, once) ...", flush=True)
    debian.unpack(PACKAGES, "xdelta3")
    write_script("xdelta3", debian.launcher("xdelta3", "usr/bin/xdelta3"))
    subprocess.run([BIN / "xdelta3", "-V"], check=True, capture_output=True)


if __name__ == "__main__":
    run(main)
