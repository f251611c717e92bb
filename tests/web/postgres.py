"""A PostgreSQL of one's own for the length of a test, run by an unprivileged user: it refuses root."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

USER = "nobody"
FLAGS = ("-c", "listen_addresses=", "-c", "fsync=on", "-c", "max_connections=60")


def program(name):
    """Debian keeps them out of the PATH."""
    found = shutil.which(name) or next(iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    if found is None:
        pytest.skip(f"NO POSTGRESQL HERE ({name}): apt install postgresql; several workers were NOT tested")
    return str(found)


class Postgres:
    """url: for SRUP_DATABASE."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.url = f"postgresql+psycopg://srup@/srup?host={folder}"

    def start(self):
        with (self.folder / "log").open("ab") as log:
            command = [program("postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), *FLAGS]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **self.user())
        for _ in range(600):
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(host=str(self.folder), user="srup", dbname="postgres").close()
                return
            time.sleep(0.1)
        raise RuntimeError((self.folder / "log").read_text())

    def dump(self):
        """A copy of the database."""
        return self._run("pg_dump", "--format=custom", "srup")

    def restore(self, copy):
        """The database as it was then."""
        self._run("pg_restore", "--clean", "--dbname=srup", copy=copy)

    def _run(self, name, *arguments, copy=None):
        command = [program(name), "-h", str(self.folder), "-U", "srup", *arguments]
        return subprocess.run(command, input=copy, check=True, capture_output=True).stdout

    def user(self):
        return {"user": USER} if os.geteuid() == 0 else {}

    def kill(self):
        """As a crash does it: the server and all its processes."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def postgres():
    with tempfile.TemporaryDirectory(prefix="srup-pg-") as folder:
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
        server = Postgres(folder)
        command = [program("initdb"), "-D", f"{folder}/data", "-U", "srup", "-A", "trust", "--locale=C", "-E", "UTF8"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **server.user())
        server.start()
        with psycopg.connect(host=folder, user="srup", dbname="postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE srup")
        try:
            yield server
        finally:
            server.kill()
