"""A board in the campaign: the real boot part and the real agent, over littlefs, over a Flash. Runs on MicroPython.

A boot does what boot.py and main.py do: mount, `start.choose`, an Agent, the slot's application, `poll` for ever. In place of
the machine stand a clock that jumps ahead when nobody has anything to do, and in place of the network the Server: `Air` is
the transport, `Link` the connection of a download. What the application drives is a relay, which clicks.

A boot ends by a reset (Python's, or the deadline's that is armed) or is quiet: nothing happens any more, and nothing would.
Each has a new Flash, mount, Agent and application. Modules stay loaded, all of them, which saves most of the time; that none
of them keeps anything from one boot to the next is tested (tests/power_cut/fresh.py).
"""

import sys

import vfs

from srup import agent, download, late, limits, port
from srup.errors import NO_ROOM, StorageError
from srup_boot import hw, start
from tests.power_cut import network
from tests.power_cut.flash import Flash, Region
from tests.power_cut.known import LONGEST

MOUNT = "/flash"
ROOT = MOUNT + "/srup-data"
BLOCKS = 64  # of the file system
BUSIEST = 5000  # rounds of a boot; a few hundred are many
IDLE_JUMP = 20_000  # milliseconds
IDLE_MOST = 90  # jumps without a step forward: what is not done by then is never done

_TICKS = 1 << 30
_PATH = list(sys.path)


class Reset(BaseException):
    """The board starts again."""


class PowerCut(BaseException):
    """The flash has died (Flash.dies_at): whatever the board does next, it does not do."""


class Brick(Exception):
    """It does not boot, or does nothing that anyone could reach."""


class Board:
    """The flash and the world it is in: `run` until it is quiet. backing: of backings.py · watch: called at each boot with
    (board, choice, agent), once the agent has its state from flash, and again when it is quiet.
    record: called before each flash operation with (board, block, offset, data) · dies_at: as for Flash, over all boots ·
    starting: called with the board before each boot; True ends the story there"""

    def __init__(self, backing, image, server, watch=lambda *_: None, record=None, dies_at=0, starting=lambda _: False):
        self.backing = backing
        self.server = server
        self._record = record and (lambda block, offset, data: record(self, block, offset, data))
        self._watch = watch
        self._starting = starting
        self._dies_at = dies_at
        self.flash = Flash(image, self._record, dies_at)
        self.boots = 0
        self.operations = 0  # of the boots before this one
        self.deadline = None  # server.now when it resets the board
        self._watched = False  # and each feed puts it off
        self.moved = 0  # counts whatever happens; where it stands still, time may jump
        self.choice = None

    def run(self):
        """Boot it until it is quiet. Raises Brick; PowerCut."""
        network.board = self
        while not self._starting(self) and self._boot():
            self.operations += self.flash.operations
            if self._dies_at and self.operations >= self._dies_at:
                raise PowerCut()  # at the last operation before it started again
            self.flash = Flash(self.flash.image(), self._record, self._dies_at - self.operations)

    def _boot(self):
        """One boot: True if it ended in a reset."""
        self.boots += 1
        if self.boots > LONGEST:
            raise Brick("starts again for ever")
        self.deadline = None
        _fresh()
        try:
            self.backing.power_on(self.flash)
            mount(self.flash)
            start.choose(ROOT)
            self.choice = start.chosen
            works = self._made()
            self._watch(self, self.choice, works)
            self._main(works)
            self._watch(self, self.choice, works)
            return False
        except Reset:
            return True
        except PowerCut:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it raises
            if self.flash.dead:
                raise PowerCut() from None
            sys.print_exception(error)
            raise Brick(f"{type(error).__name__}: {error}")
        finally:
            self.backing.power_off()
            umount()

    # what firmware/main.py does

    def _made(self):
        try:
            works = agent.Agent(self.choice, network.Air, ROOT)
            works.start()
            return works
        except Exception as error:
            self.alive()
            if self.choice.slot == start.NONE:
                raise
            sys.print_exception(error)
            raise Reset() from None

    def _main(self, works):
        try:
            if self.choice.slot != start.NONE:
                app = self.backing.application(self.choice)
                if hasattr(app, "setup"):
                    app.setup(works)
        except Exception as error:  # noqa: BLE001 - whatever an application may raise
            self.alive()
            works.crashed(error)
        self._loop(works)

    def _loop(self, works):
        idle = rounds = 0
        while idle < (IDLE_MOST if not self.server.finished else 4):
            before = (self.moved, self.flash.operations)
            works.poll()
            self.alive()
            rounds += 1
            if rounds > BUSIEST:
                raise Brick("busy for ever")
            self.server.now += 1
            road = works._road
            if (road and road.working()) or before != (self.moved, self.flash.operations):
                idle = 0
            else:
                idle += 1
                self.server.now += IDLE_JUMP
            if self.deadline is not None and self.server.now >= self.deadline:
                raise Reset()

    # the machine's deadline (srup_boot.hw)

    def arm(self, seconds):
        self._watched = False
        self.deadline = self.server.now + seconds * 1000 if seconds else None

    def watch(self):
        self.arm(hw.WATCHDOG_S)
        self._watched = True

    def feed(self):
        if self._watched:
            self.watch()

    def alive(self):
        """Called wherever the board could do something that the world would notice."""
        if self.flash.dead:
            raise PowerCut()


def mount(flash):
    """The file system, as a board's firmware mounts it, but without the files' times: they come from this machine's clock,
    and a cut is to be the same one when it is made again. Raises OSError."""
    device = flash if flash.ioctl(4, 0) == BLOCKS else Region(flash, 0, BLOCKS)
    vfs.mount(vfs.VfsLfs2(device, progsize=256, mtime=False), MOUNT)


def umount():
    try:
        vfs.umount(MOUNT)
    except OSError:
        pass  # it did not mount


def _fresh():
    """What a reset makes of the interpreter, as far as the device's code could notice."""
    sys.path[:] = _PATH
    sys.modules.pop("app", None)


class Resident:
    """In place of srup.late.Late, which imports the agent's modules when they are needed: here they stay."""

    def __init__(self, *names):
        self._names = names
        self._begun = False

    def begun(self):
        return self._begun

    def load(self):
        for name in self._names:
            __import__("srup." + name)
        self._begun = True
        return True

    def let_go(self, top=""):
        self._begun = False


class Relay:
    """What the application drives; it is `import relay` to it."""

    def click(self, number):
        network.board.alive()
        network.board.moved += 1
        network.board.server.click(number)
        return True

    def take(self, version):
        """The application is told of new files: of no effect in the world, which it may be told of again."""
        network.board.alive()
        return True

    def reset(self):
        raise Reset()


def _reset():
    network.board.alive()
    raise Reset()


def _random(count):
    return bytes(count)


def install():
    """Put the campaign's machine in the place of this one. Once, before the first Board."""
    port.reset = hw.reset = _reset
    port.arm = hw.arm = lambda seconds: network.board.arm(seconds)
    port.watch = hw.watch = lambda: network.board.watch()
    port.feed = hw.feed = lambda: network.board.feed()
    port.ticks_ms = lambda: network.board.server.now % _TICKS
    port.clock_is_set, port.set_clock = (lambda: False), (lambda ms, known=False: None)
    port.network_start, port.random, port.free_memory = (lambda *_: None), _random, (lambda: 100_000)
    port.BOARD = "UNIX"
    limits.CHUNK = limits.SYNC = limits.UNPACK = 512  # for the files are small: as many pieces as of larger ones
    download.Link = network.Link
    late.Late, late.short, late.meet = Resident, lambda: False, lambda *_: None
    agent.print = lambda *_: None  # its console
    setattr(agent, "Exception", (StorageError,) + NO_ROOM)  # noqa: B010 - for `poll`: any other is a fault, and to be seen
    sys.modules["relay"] = Relay()


def talk():
    """Let the boards be heard: their consoles, on this one."""
    agent.print = print
