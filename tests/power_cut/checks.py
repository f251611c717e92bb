"""What must hold after a power cut, at each boot and in the end. Runs on MicroPython.

bricks    it does not boot, runs nothing, can't be reached, or never ends up where the server wants it
mixed     what runs is not one release, whole
lost      a frame that the board has acknowledged ended with neither effect nor report, or with two reports that disagree
replayed  the replay memory went back, or a command was carried out twice
"""

import json
from binascii import a2b_base64

from srup import keys, status, wire
from srup.store import Store
from srup_boot.record import NONE
from tests.power_cut.known import Story
from tests.power_cut.machine import ROOT, Board, Brick
from tests.power_cut.scenarios import OUTCAST, SCENARIOS
from tests.power_cut.server import Server, named

KINDS = ("bricks", "mixed", "lost", "replayed")

RECOVERING = ("empty", "crashing")  # starts in which there is nothing that could run
UNRECORDED = (status.TOKEN_STALE, status.TOKEN_AHEAD, status.TOKEN_EXPIRED)  # of frames refused in step 4
REFUSALS = (status.ACTION_FAIL, status.ACTION_REFUSED, status.DATA_UNKNOWN)

# As of the device's store
_HIGHEST = b"T"
_FLOOR = b"F"
_KEY = b"K"


class Violation(BaseException):
    """kind: of KINDS. Not an Exception: no handler of the device's is to swallow it."""

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind
        self.text = text


class Checks:
    """Of one scenario on one backing. bundles: {version: bundle}"""

    def __init__(self, name, backing, bundles):
        start, self.script, self._end, *settings = SCENARIOS[name]
        self._settings = dict(settings[0]) if settings else {}
        self._files = self._settings.pop("files", None)  # that the application has in the end
        self._keys = self._settings.pop("keys", None)  # that are trusted in the end
        self._may_run_nothing = start in RECOVERING
        self._backing = backing
        self._bundles = bundles
        self._highest = {}  # what the boot before had in its replay memory
        self._version = None  # what runs
        self._config = None  # with which settings
        self._has = None  # which files the application has
        self._trusts = None  # which keys: {entry of the store: key}

    def server(self, saved=None):
        return Server(self.script, self._bundles, saved)

    def run(self, image, server, cuts, record=None, known=None):
        """Power on, and left alone until it is quiet; `cuts`: how often the power has gone. Raises Violation.

        known: Known, by which the end of it may be left out
        """
        self._highest = {}
        story = Story(known, lambda: (cuts, sorted(self._highest.items())))
        board = Board(self._backing, image, server, self._watch, record, starting=story.starting)
        try:
            board.run()
        except Brick as error:
            raise Violation("bricks", str(error))
        if not story.is_known():
            self._in_the_end(server, cuts)
        story.ended(server)
        return board

    def _watch(self, board, choice, agent):
        self._version = self._running(choice)
        if self._version is None and not self._may_run_nothing:
            raise Violation("bricks", "it is in recovery: " + choice.note)
        self._check_memory(board.server, agent)
        self._config = agent.config
        if self._files:
            folder = agent.files()
            self._has = folder and self._backing.release_in(folder)
            if self._has == "mixed":
                raise Violation("mixed", "the application's files are of no release")
        if self._keys:
            store = agent._road.store if agent._road else Store(ROOT + "/state.log")
            self._trusts = dict(store.items(_KEY))
            if len({entry[1] for entry in self._trusts}) < len(keys.ROLES):
                raise Violation("bricks", "a role without a key")

    def _running(self, choice):
        """The version that is in the chosen slot, None in recovery. Raises Violation where that is no release."""
        if choice.slot == NONE:
            return None
        version = self._backing.running(choice)
        if version == "mixed":
            raise Violation("mixed", f"what is in slot {choice.slot} is no release")
        return version

    def _check_memory(self, server, agent):
        """The highest token is at least that of what was acknowledged, and of what there was at the boot before."""
        if not agent._road:  # it is quiet, and has let go of it
            return
        now = dict(agent._road.store.items(_HIGHEST))
        most = max(list(now.values()) or [b""])
        for frame in server.accepted:
            token = wire.decode(frame).elements["token"]
            if frame[1] != wire.ACTIVATE and token > most:
                raise Violation("replayed", "an acknowledged token is above the highest on record")
        for entry, value in self._highest.items():
            floor = (
                agent._road.store.get(_FLOOR + entry[1:9]) or b""
            )  # which is what there was, where the key is removed
            if max(now.get(entry, b""), floor) < value:
                raise Violation("replayed", "the highest token has gone back")
        self._highest = now

    # when it is quiet

    def _in_the_end(self, server, cuts):
        for frame in server.accepted:
            self._check_outcome(server, wire.decode(frame), cuts)
        if not server.finished:
            raise Violation("bricks", f"never ends up with {self._end}: the server still waits for {server.goal!r}")
        inventory = json.loads(server.inventory)
        says = inventory.get(inventory["slot"], (None, None))[1]
        if self._version != self._end or says not in self._backing.says(self._end) or inventory["trial"]:
            said = (self._version, says, self._end)
            raise Violation("bricks", "it ends with {}, and says {}, instead of {}".format(*said))
        self._check_asked(server, inventory["latest"])
        if self._has != self._files:
            raise Violation("bricks", f"it ends with the files of {self._has!r} instead of {self._files!r}")
        if self._keys and sorted(self._trusts.values()) != sorted([named(name).public for name in self._keys]):
            raise Violation("bricks", "it ends with other keys than " + ", ".join(self._keys))
        if OUTCAST in server.clicks:
            raise Violation("replayed", "a key that is trusted no more was obeyed")
        for name, value in self._settings.items():
            if getattr(self._config, name) != value:
                raise Violation("bricks", f"it ends with {getattr(self._config, name)!r} as {name}")

    def _check_asked(self, server, latest):
        """What it says when it is asked is what it has answered, of the latest transaction at least."""
        said = {_octets(token): value for token, value in latest.items()}
        for token, value in said.items():
            answers = server.answers.get(token, (value,))
            if answers[-1] != value:
                raise Violation("lost", f"it has answered {answers!r}, and when it is asked it says {value}")
        done = [token for token in server.answers if server.answers[token][-1] not in UNRECORDED]
        if done and max(done) not in said:
            raise Violation("lost", "when it is asked it says nothing of its latest transaction")

    def _check_outcome(self, server, frame, cuts):
        token = frame.elements["token"]
        answers = server.answers.get(token, ())
        if frame.type in (wire.INITIATE, wire.ACTIVATE) or _begins_a_trial(frame):
            ends = [value for value in answers if status.terminal(value) or value in REFUSALS]
            if not ends:
                raise Violation("lost", f"an update without an end: {answers!r}")
            if any(value != ends[0] for value in ends):
                raise Violation("lost", f"an update with two ends: {answers!r}")
        elif frame.type != wire.ID_REQUEST:
            if not answers:
                raise Violation("lost", wire.TYPES[frame.type][0] + " without an answer")
            self._check_effect(server, frame, answers, cuts)

    def _check_effect(self, server, frame, answers, cuts):
        """An ACTION is done once at most; DATA, which is resumed, once more for each cut; what is answered as done, is."""
        if frame.type == wire.ACTION and frame.elements["action"] == 0x80:
            number, most, success = frame.elements["parameters"][0], 1, status.ACTION_SUCCESS
        elif frame.type == wire.DATA and frame.elements["name"] == b"app.click":
            number, most, success = frame.elements["value"][0], 1 + cuts, status.DATA_SUCCESS
        else:
            return
        clicks = server.clicks.get(number, 0)
        if clicks > most:
            raise Violation("replayed", f"carried out {clicks} times")
        if success in answers and not clicks:
            raise Violation("lost", "answered as done, and it was not")


def _octets(text):
    """Of base64url without padding."""
    return a2b_base64(text.replace("-", "+").replace("_", "/") + "==")


def _begins_a_trial(frame):
    if frame.type == wire.ACTION:
        return frame.elements["action"] == 0x08
    return frame.type == wire.DATA and frame.elements["name"] == b"settings"
