"""The campaign on the chip, one boot of it; boards.py puts `SAVED = ...`, what the server knew, before it. Runs on the RP2040.

The agent is the one in /lib, and so are the boot part, the timers and the flash. The network is a server in this same interpreter
(/campaign), whose knowledge is printed whenever it changes, for the next boot. Signatures are not looked at: each would take the
emulator seconds.
"""

import sys
import time

sys.path.append("/campaign")

import srup
from srup import agent, late, port
from srup_boot import hw, start
from srup_boot.slot import slot_path
from tests.power_cut import network
from tests.power_cut.server import Server


class P256:
    """In place of srup.p256."""

    def verify(self, public_key, digest, signature, table=None):
        pass

    def keep_tables(self, *_):
        pass

    def keeps_tables(self):
        return False

    def table(self, public_key, make=True):
        return None

    def is_low_s(self, signature):
        return True

    def sign(self, private_key, digest, random=None):
        return bytes(64)


class LinkModule:
    """In place of srup.link."""

    Link = network.Link


class Reset(BaseException):
    pass


class World:
    """What network.board is: the server, and a count of what happens."""

    def __init__(self, server):
        self.server = server
        self.moved = 0

    def alive(self):
        pass


class Releases(dict):
    def __getitem__(self, version):
        with open(f"/campaign/{version}.srup", "rb") as file:
            return file.read()


class Relay:
    def click(self, number):
        return True


def reset():
    raise Reset()


def tell():
    print("STATE", repr(world.server.save()))
    time.sleep_ms(20)  # until it has left the chip: what the broker has taken, the server has


def run(works):
    idle = 0
    while idle < 12:
        before = world.moved
        works.poll()
        world.server.now += 20
        time.sleep_ms(20)
        if world.moved != before:
            tell()
        busy = works._road and works._road.working()
        idle = 0 if busy or world.moved != before or not world.server.finished else idle + 1
    print("QUIET", str(world.server.inventory, "utf-8"))


sys.modules["srup.p256"] = srup.p256 = P256()
late.let_go_of_p256 = lambda: None
sys.modules["srup.link"] = srup.link = LinkModule()
sys.modules["relay"] = Relay()
port.reset = hw.reset = reset
port.network_start = lambda *_: None
world = network.board = World(Server((("update", "2.0"),), Releases(), SAVED))  # noqa: F821 - see above
try:
    choice = start.choose()
    print("RUNS", "nothing" if choice.slot == start.NONE else slot_path("", choice.slot), choice.trial)
    works = agent.Agent(choice, network.Air)
    works.start()
    app = __import__("app")
    app.setup(works)
    print("APP", app.VERSION)
    run(works)
except Reset:
    print("RESET")
