"""Chromium and its driver, for the tests that look at the dashboard: the system's. Where CI runs as root, apt installs them.

Chromium can't be unpacked beside the system as our other tools are: it starts itself anew, and not through a loader of ours. So
this is the one thing that may be installed into the system, in CI only, by Debian's own signatures and not by a hash of ours.
"""

import os
import shutil
import subprocess

from steps import Failed, run

PROGRAMS = ("chromium", "chromedriver")
PACKAGES = ("chromium", "chromium-driver")


def main() -> None:
    if not _missing():
        return
    if not (os.environ.get("CI") and os.geteuid() == 0 and shutil.which("apt-get")):
        raise Failed(f"no {' and no '.join(_missing())} here: apt install {' '.join(PACKAGES)}")
    print(f"CI, as root: INSTALLING {' and '.join(PACKAGES)} INTO THE SYSTEM with apt (100 MB) ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update", "-qq"), ("install", "-qq", "-y", "--no-install-recommends", *PACKAGES)):
        subprocess.run(["apt-get", *command], check=True, env=environment, stdout=subprocess.DEVNULL)
    if _missing():
        raise Failed(f"apt has installed no {' and no '.join(_missing())}")


def _missing() -> list[str]:
    return [program for program in PROGRAMS if not shutil.which(program)]


if __name__ == "__main__":
    run(main)
