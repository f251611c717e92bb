"""Real Mosquitto, as `srup_host.mosquitto` configures it, for the length of a test."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from srup_host import mosquitto as configuration
from srup_host.fleet import Fleet
from tests.unit.on_micropython import ROOT

PROGRAM = ROOT / ".cache" / "bin" / "mosquitto"

# Mosquitto has no setting for the newest version of TLS; a stock board speaks none newer than this.
TLS_AT_MOST_1_2 = """openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = cap
[cap]
MaxProtocol = TLSv1.2
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def need_mosquitto() -> None:
    """Skip the test where Mosquitto can't be had; in CI that is a failure."""
    if not shutil.which(PROGRAM):
        if os.environ.get("CI"):
            pytest.fail("no Mosquitto, and this is CI")
        pytest.skip("MOSQUITTO IS MISSING: `make setup` says why; this was NOT tested")


@contextlib.contextmanager
def mosquitto(fleet: Fleet, folder: Path) -> Iterator[None]:
    """Mosquitto with the fleet's users, topics and certificate, on the fleet's port, until the context ends."""
    need_mosquitto()
    user = "user root" if os.getuid() == 0 else ""  # it would become nobody, who can't read the server's key
    file = configuration.write(fleet, folder, address="localhost", more=user)
    (folder / "openssl.conf").write_text(TLS_AT_MOST_1_2)
    environment = os.environ | {"OPENSSL_CONF": str(folder / "openssl.conf")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "-c", file], env=environment, stdout=log, stderr=log)
    try:
        _wait_listening(fleet.broker.port, process, folder / "log")
        yield
    finally:
        process.terminate()
        process.wait(20)


def _wait_listening(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"mosquitto did not start:\n{log.read_text()}")
