"""Put `micropython-arm` into .cache/bin: Debian's MicroPython for 32-bit Arm, on QEMU. It loads native code of the processors from
armv6m to armv7emsp, so their kernels for P-256 can be run and not only compiled. (None such is there for Xtensa and 32-bit RISC-V.)
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import cached
import debian
from steps import BIN, Failed, run, write_script

LOCK = Path(__file__).with_name("qemu.lock")
FOREIGN = "armhf"
PACKAGES = ["micropython", "libc6", "libffi8", "libgcc-s1", "libmbedtls21", "libmbedcrypto16", "libmbedx509-7"]
LIBRARIES = "usr/lib/arm-linux-gnueabihf"


def main() -> None:
    folder = cached.folder("qemu-arm", cached.key(LOCK, Path(__file__)), install)
    write_script(
        "micropython-arm",
        f'r="${{0%/*}}/../{folder.name}"\n'
        f'exec "$r/qemu-arm" "$r/{LIBRARIES}/ld-linux-armhf.so.3" --library-path "$r/{LIBRARIES}" "$r/usr/bin/micropython" "$@"',
    )
    said = subprocess.run(
        [BIN / "micropython-arm", "-c", "print(2 ** 40)"], check=False, capture_output=True, text=True
    )
    if said.stdout != "1099511627776\n":
        raise Failed(f"MicroPython for Arm does not start on QEMU here: {said.stderr.strip()}")


def install(folder: Path) -> None:
    print("Installing MicroPython for Arm, and QEMU, into .cache (half a minute: 75 MB, once) ...", flush=True)
    if not shutil.which("dpkg-deb"):
        raise Failed("dpkg-deb is needed to unpack Debian's packages: install dpkg and try again")
    folder.mkdir()
    for name in PACKAGES:
        subprocess.run(["dpkg-deb", "-x", debian.fetch(name, FOREIGN, LOCK), folder], check=True)
    with tempfile.TemporaryDirectory(dir=cached.CACHE) as scratch:  # for one program out of thirty
        subprocess.run(["dpkg-deb", "-x", debian.fetch("qemu-user", lock=LOCK), scratch], check=True)
        shutil.copy(Path(scratch, "usr/bin/qemu-arm"), folder / "qemu-arm")


if __name__ == "__main__":
    run(main)
