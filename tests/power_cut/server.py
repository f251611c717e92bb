"""The world outside the board: the command server, its broker and its web server. It keeps its power. Runs on MicroPython.

A script says what the server is after, one goal at a time; a goal is (kind, argument ...), and GOALS at the end names the
kinds. The server does what `srup send` does: it sends frames, rightly signed, each again until the board has acknowledged it
(QoS 1), reacts to what the board answers, and tries a failed update again under a new token. When the script is through, an
attacker replays every frame that the board has accepted, and the server asks for the inventory.

`save` and `Server(script, saved)` are what the power cuts need: the server as it was at that flash operation.
"""

from hashlib import sha256

from srup import status, tokens, wire
from tests.power_cut import ecdsa
from tests.unit.server import DEVICE, NOON, Key

COMMAND = Key("command")
RELEASE = Key("release")
AUTHORITY = Key("authority")
KEYS = {"command": COMMAND, "release": RELEASE, "authority": AUTHORITY}  # and others, as they are named
ADD, REMOVE = 1, 2  # of DATA `keys` (protocol.md); and roles
OF_COMMAND, OF_RELEASE, OF_AUTHORITY = 1, 2, 3
HOST = "localhost:8443"
TRIES = 8  # updates in a row that may fail before the server gives up

_STATE = (
    "step",
    "queue",
    "answers",
    "accepted",
    "clicks",
    "minted",
    "token",
    "tries",
    "told",
    "dark",
    "now",
    "inventory",
)


def named(name):
    """The key of this name."""
    if name not in KEYS:
        KEYS[name] = Key(name)
    return KEYS[name]


class Server:
    """releases: {version: bundle} that it serves. What it knows, as of `saved`:

    step: goal of the script · queue: (frames) that the broker keeps · answers: {token: (statuses)} · accepted: (frames)
    acknowledged · clicks: {n: how often the application's relay did} · now: milliseconds since the story began · `dark` ends the
    time without a network · `told` what was sent for the token already · inventory: the last one, bytes
    first: number of the first token
    """

    def __init__(self, script, releases, saved=None, first=100):
        self.script = script
        self.releases = releases
        self.step, self.queue, self.answers, self.accepted, self.clicks = -1, (), {}, (), {}
        self.minted, self.token, self.tries, self.told, self.dark, self.now, self.inventory = (
            first,
            b"",
            0,
            (),
            0,
            0,
            None,
        )
        if saved is None:
            self._next()
        else:
            for name, value in zip(_STATE, saved):
                setattr(self, name, dict(value) if isinstance(value, dict) else value)

    def save(self):
        """What it knows, to be given to another one."""
        values = [getattr(self, name) for name in _STATE]
        return tuple([dict(value) if isinstance(value, dict) else value for value in values])

    @property
    def up(self):
        """Is there a network?"""
        return self.now >= self.dark

    @property
    def finished(self):
        return self.step >= len(self.script) + 2

    @property
    def goal(self):
        """The goal now: the script's, then the attacker's and the last question."""
        goals = self.script + (("replay",), ("probe",), ("rest",))
        return goals[min(self.step, len(goals) - 1)]

    # to the board

    def coming(self):
        """The frame that is next to be delivered, or None."""
        return self.queue[0] if self.queue and self.up else None

    def acknowledge(self):
        frame, self.queue = self.queue[0], self.queue[1:]
        if self.goal[0] == "outcast":  # whose frames are dropped, as the broker may have them
            return self._next()
        if frame not in self.accepted:
            self.accepted += (frame,)
        if frame[1] == wire.ACTIVATE and len(self.goal) > 2:
            self.dark = self.now + self.goal[2]
        if not self.queue and self.goal[0] == "replay":
            self._next()

    def mint(self):
        self.minted += 1
        return tokens.mint(NOON + self.minted, tokens.ZERO, bytes(8))

    def key(self, role, name):
        """The one that signs now: the latest that a goal of the script has had added in this role; `name` before that."""
        for goal in self.script[: max(0, self.step)]:
            if goal[:3] == ("keys", ADD, role):
                name = goal[3]
        return named(name)

    def send(self, kind, key=None, **elements):
        """Queue a signed frame with a new token (or the one given); the token."""
        key = key or self.key(OF_COMMAND, "command")
        token = elements.setdefault("token", None) or self.mint()
        elements["token"] = token
        if kind != wire.ACTIVATE:
            elements["target"] = DEVICE
        self.queue += (ecdsa.frame(key, kind, elements),)
        return token

    # from the board

    def heard(self, frame):
        """A frame that the board has published."""
        message = wire.decode(frame)
        ecdsa.check(message)
        token = message.elements["token"]
        if message.type == wire.RESPONSE:
            value = message.elements["status"]
            if value != status.TOKEN_STALE:  # which is no outcome
                self.answers[token] = self.answers.get(token, ()) + (value,)
            GOALS[self.goal[0]][1](self, token, value)
        elif message.elements["name"] == b"inventory":
            self.inventory = message.elements["value"]
            if self.goal[0] == "probe":
                self._next()

    def click(self, number):
        """The application's relay clicks: an effect in the world, which no power cut undoes."""
        self.clicks[number] = self.clicks.get(number, 0) + 1

    def served(self, path):
        """The file at this path of the web server."""
        return self.releases[path[1:].rsplit(".", 1)[0]]

    # goals

    def _next(self):
        self.step += 1
        self.tries = 0
        self._begin()

    def _begin(self):
        self.told = ()
        self.tries += 1
        if self.tries <= TRIES:  # else it waits for ever, and is found to be stuck
            GOALS[self.goal[0]][0](self)

    def _once(self, what):
        """True the first time for this `what` of the goal's token."""
        first = what not in self.told
        self.told += (what,)
        return first

    def _initiate(self):
        version = self.goal[1]
        url = (f"https://{HOST}/{version}.srup").encode()
        self.token = self.send(wire.INITIATE, url=url, digest=sha256(self.releases[version]).digest())

    def _updating(self, token, value, wanted, confirms):
        if token != self.token:
            if value == status.DATA_UNKNOWN and self._on_trial():
                self._confirm()  # it came when there was no trial, or was cut off: a confirm without effect is sent again
        elif value == status.UPDATE_SUCCESS and self._once("activate"):
            self.send(wire.ACTIVATE, token=token)
        elif value == status.ACTIVATE_TRIAL and confirms and self._once("confirm"):
            self._confirm()
        elif value in wanted and self._once("end"):
            self._next()
        elif status.terminal(value) and self._once("end"):
            self._begin()

    def _on_trial(self):
        return "confirm" in self.told and self.answers[self.token][-1] == status.ACTIVATE_TRIAL

    def _confirm(self):
        if len(self.told) < 20:
            self.told += ("confirmed",)
            self.send(wire.DATA, name=b"confirm", value=self.token)

    def _update(self, token, value):
        self._updating(token, value, (status.ACTIVATE_SUCCESS,), True)

    def _bad_update(self, token, value):
        self._updating(token, value, (status.ACTIVATE_REVERTED, status.ACTIVATE_FAIL), False)

    def _bad_but_confirmed(self, token, value):
        self._updating(token, value, (status.ACTIVATE_REVERTED, status.ACTIVATE_FAIL), True)

    def _revert(self):
        self.token = self.send(wire.ACTION, action=0x08, parameters=b"")

    def _settings(self):
        self.token = self.send(wire.DATA, AUTHORITY, name=b"settings", value=self.goal[1].encode())

    def _trial(self, token, value):
        """Of a command that begins one: refused, it is tried again."""
        if token == self.token and value in (status.ACTION_FAIL, status.DATA_UNKNOWN):
            if self._once("end"):
                self._begin()
        else:
            self._updating(token, value, (status.ACTIVATE_SUCCESS,), True)

    def _bad_trial(self, token, value):
        if token == self.token and value == status.DATA_UNKNOWN:
            if self._once("end"):
                self._begin()
        else:
            self._updating(token, value, (status.ACTIVATE_REVERTED,), False)

    def _supersede(self):
        self._initiate()
        self._initiate()

    def _cancel(self):
        self._initiate()

    def _cancelling(self, token, value):
        failed = value == status.ACTION_FAIL and not any(map(status.terminal, self.answers[self.token]))
        if failed or (token == self.token and value == status.UPDATE_SUCCESS and self._once("cancel")):
            self.send(wire.ACTION, action=0x09, parameters=self.token)
        elif token == self.token and status.terminal(value):
            self._next()

    def _act(self):
        self.token = self.send(wire.ACTION, action=0x80, parameters=bytes((self.goal[1],)))

    def _tell(self):
        self.token = self.send(wire.DATA, name=b"app.click", value=bytes((self.goal[1],)))

    def _change_keys(self):
        _, operation, role, name = self.goal
        value = bytes((operation, role)) + named(name).public
        self.token = self.send(wire.DATA, self.key(OF_AUTHORITY, "authority"), name=b"keys", value=value)

    def _changed_keys(self, token, value):
        if token == self.token and value == status.DATA_SUCCESS:
            self._next()
        elif token == self.token and self._once("failed"):
            self._begin()

    def _outcast(self):
        self.send(wire.ACTION, named(self.goal[2]), action=0x80, parameters=bytes((self.goal[1],)))

    def _reboot(self):
        self.token = self.send(wire.ACTION, action=0x01, parameters=b"")

    def _answered(self, token, value):
        if token == self.token:
            self._next()

    def _replay(self):
        self.queue = self.accepted
        if not self.queue:
            self._next()

    def _nothing(self, *_):
        pass

    def _probe(self):
        self.token = self.send(wire.ID_REQUEST)

    def _probed(self, token, value):
        if token == self.token and status.terminal(value) or value == status.ACTION_FAIL:
            self._begin()


# kind: what begins it, and what it makes of a status
GOALS = {
    "update": (Server._initiate, Server._update),  # version[, milliseconds without a network after ACTIVATE]
    "unconfirmed": (Server._initiate, Server._bad_update),  # version: the server never confirms
    "bad": (Server._initiate, Server._bad_but_confirmed),  # version: whatever the server does, it fails its trial
    "revert": (Server._revert, Server._trial),
    "settings": (Server._settings, Server._trial),  # JSON
    "bad-settings": (Server._settings, Server._bad_trial),  # JSON of settings with which the board is not heard
    "supersede": (Server._supersede, Server._update),  # version: and while that is fetched, another INITIATE
    "cancel": (Server._cancel, Server._cancelling),  # version: cancelled when it is staged
    "action": (Server._act, Server._answered),  # number of the click that it makes
    "data": (Server._tell, Server._answered),  # the same as DATA
    "reboot": (Server._reboot, Server._answered),
    "keys": (Server._change_keys, Server._changed_keys),  # ADD or REMOVE, role, the key's name
    "outcast": (
        Server._outcast,
        Server._nothing,
    ),  # number of the click that a key, of this name, is not to make any more
    "replay": (Server._replay, Server._nothing),
    "probe": (Server._probe, Server._probed),
    "rest": (Server._nothing, Server._nothing),
}
