"""One fleet for the stories: `srup serve` as people start it, fifty simulated devices and three real boards on it."""

import asyncio
import re
import subprocess
import sys
import threading

import pytest

from srup_host import bundle, sources
from srup_host.demo import SOURCES
from srup_host.server.client import Client
from srup_host.simulate import cards
from srup_host.simulate.crowd import Crowd
from srup_host.simulate.ways import Ways
from srup_host.virtual import interpreter, making
from srup_host.virtual.running import VirtualBoard
from tests.browser.chromium import Person, missing
from tests.host.backdrop import create_fleet

SIMULATED, REAL = 50, 3
REASON = "no {} here, so NOBODY HAS LOOKED AT THE PAGES: apt install chromium chromium-driver"


@pytest.fixture(scope="session")
def chromium():
    if missing():
        pytest.skip(REASON.format(" and no ".join(missing())))


class Scene:
    """link: makes the first account · client: the REST API, for what a story does not look at."""

    def __init__(self, folder):
        self.folder = folder
        self.fleet, mqtt, https = create_fleet(folder / "fleet")
        for one in (*mqtt, *https):
            one.close()
        self.address = f"https://localhost:{self.fleet.https.port}"
        self.played = cards.take(self.fleet, SIMULATED)
        self.client = Client(self.fleet.directory)
        self._boards = []
        self._stop = threading.Event()

    def __enter__(self):
        command = [sys.executable, "-u", "-m", "srup_host.cli", "serve", "--fleet", str(self.fleet.directory)]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self._server.stdout:
            if found := re.search(r"https://\S+/invitation/\S+", line):
                self.link = found.group(0)
                break
        threading.Thread(target=self._server.stdout.read, daemon=True).start()
        self._crowd = threading.Thread(target=lambda: asyncio.run(self._play()))
        self._crowd.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._crowd.join()
        for board in self._boards:
            board.power_cut()
        self._server.terminate()
        self._server.wait()

    async def _play(self):
        async with Crowd(self.fleet, self.played, Ways(bad=1.0, latency_s=0.05)):
            while not self._stop.is_set():
                await asyncio.sleep(0.1)

    def boards(self):
        """Real ones: MicroPython's unix port, as processes."""
        interpreter.find()
        application = self.release("1.0")
        for number in range(REAL):
            place = self.folder / f"real-{number}"
            making.make(place, self.fleet, application=application)
            self._boards.append(VirtualBoard(place))
            self._boards[-1].start(lambda line: None)

    def newcomer(self):
        """A real board that is in no fleet yet, and asks to join this one: it, and the six words on its console."""
        interpreter.find()
        place = self.folder / "newcomer"
        making.make(place, self.fleet, application=self.release("1.0"), joins=True)
        board = VirtualBoard(place)
        self._boards.append(board)
        board.start(lambda line: None)
        return board, board.wait_for("these words: ").partition("these words: ")[2]

    def release(self, version):
        """A bundle of the thermometer, signed with the release key: its file. Version 3.0 fails its self-test."""
        contents = sources.compile_all(sources.collect(SOURCES / version).files)
        key = self.fleet.private_key("release")
        path = self.folder / f"thermometer-{version}.srup"
        path.write_bytes(bundle.pack(contents, key, name="thermometer", version=version, counter=0))
        return path


@pytest.fixture(scope="session")
def scene(chromium, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp("scene")) as scene:
        yield scene


@pytest.fixture(scope="session")
def newcomer(scene):
    return scene.newcomer()


@pytest.fixture(scope="session")
def ada(scene, tmp_path_factory):
    """The administrator: her account is made in the browser, by the link that the first start prints."""
    person = Person(scene.address, tmp_path_factory.mktemp("ada"))
    person.go(scene.link)
    person.keep("invitation")
    person.enter("ada", "correct horse battery", "Make the account")
    yield person
    person.close()


@pytest.fixture
def person(scene, tmp_path):
    """Somebody else, in a browser of their own."""
    person = Person(scene.address, tmp_path / "profile")
    yield person
    person.close()
