"""A board in a story: an agent over a folder in flash, between a transport that the story plays and an application."""

import json

from srup import agent, keys, p256, port, second, tokens, trust, wire
from srup.errors import NO_ROOM, NetworkError, StorageError
from srup.store import Store
from srup_boot import record, start
from tests.unit.check import raises
from tests.unit.on_board_ticks import Ticks
from tests.unit.scratch import folder, write
from tests.unit.server import DEVICE, NOON, Key, token

COMMAND, AUTHORITY = Key("command"), Key("authority")
UUID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
NAMES = (
    "reset",
    "arm",
    "clock_is_set",
    "network_start",
    "network_stop",
    "light_sleep",
    "beacon",
    "reset_cause",
    "random",
)


# What `poll` may take care of here. On a board it is any exception; but one of another kind is a fault of ours, for a test to see.
EXPECTED = (StorageError,) + NO_ROOM


class Reset(BaseException):
    """Where a board would start again, or lose its power."""


class Air:
    """In place of the transport: `deliver` a frame, look at what was `sent`."""

    def __init__(self, broker, device, authorities, tls_failed):
        self.up = True
        self.fault = None
        self.coming = []
        self.sent = []
        self.acknowledged = []
        self.acknowledgements = 0
        self.callbacks = self.topics = {}

    def poll(self):
        return (b"c2", self.coming[0]) if self.up and self.coming else None

    def acknowledge(self):
        self.coming.pop(0)
        self.acknowledgements += 1

    def publish(self, topic, payload, retain=False, qos=1):
        if not self.up:
            raise NetworkError("not connected")
        self.sent.append(wire.decode(payload))
        self.acknowledged.append(len(self.sent))
        return len(self.sent)

    def subscribe(self, topic, callback=None):
        self.callbacks[topic] = callback

    def unsubscribe(self, topic):
        self.callbacks.pop(topic, None)

    @property
    def linked(self):
        return self.up

    def listened(self):
        return self.up and not self.coming

    def drop(self, error):
        self.up, self.fault = False, error

    def close(self):
        self.up = False


class Board:
    """`with Board() as board:` an agent over a folder in flash; `restart` forgets all that is not there.

    caught: by `poll` · settings: in config.json. slept: milliseconds of each nap; network: what became of it; blinks: does the beacon's light."""

    caught = EXPECTED

    def __init__(self, trial=False, **settings):
        self.root = folder()
        config = {
            "uuid": UUID,
            "board": "UNIX",
            "broker": {"host": "localhost", "port": 1, "tls": False},
            "allow": ["localhost:8443"],
            "provisioned": NOON - 86_400_000,
        }
        config.update(settings)
        write(self.root + "/config.json", json.dumps(config).encode())
        write(self.root + "/device.key", Key("device").private)
        store, floor = Store(self.root + "/state.log"), tokens.first_at(NOON - 86_400_000)
        for role, key in ((keys.COMMAND, COMMAND), (keys.AUTHORITY, AUTHORITY)):
            trust.install(store, role, key.public, floor)
        self._trial = trial
        self.resets = 0
        self.slept, self.network, self.blinks = [], [], None
        self.cause = "power"

    def __enter__(self):
        self._real = [(name, getattr(port, name)) for name in NAMES]
        port.reset, port.arm = self._reset, lambda seconds: None
        port.clock_is_set, port.network_start = (lambda: False), self._start_network
        port.network_stop, port.light_sleep = (lambda: self.network.append("stop")), self.slept.append
        port.beacon, port.reset_cause = self._blink, lambda: self.cause
        setattr(agent, "Exception", self.caught)  # noqa: B010 - it shadows the built-in one
        self.restart()
        return self

    def __exit__(self, *_):
        delattr(agent, "Exception")
        for name, real in self._real:
            setattr(port, name, real)

    def _start_network(self, wifi, ppp):
        self.network.append("start")
        if hasattr(self, "agent"):
            self.air.up = True

    def _blink(self, on, pin):
        self.blinks = on
        return True

    def _reset(self):
        self.resets += 1
        raise Reset()

    def restart(self):
        tries = self._trial and record.load(self.root).trial != record.NONE
        choice = start.Choice(0, self._trial, tries, "", record.NONE)
        self.sent = []
        self.agent = None  # before there is another: two at a time are more than a board holds
        self.agent = agent.Agent(choice, lambda *arguments: self.wired(Air(*arguments)), self.root)
        self.agent.start()

    def wired(self, air):
        """A transport of this start: what is sent by either is in one list."""
        air.sent = self.sent
        return air

    @property
    def air(self):
        """The transport, of the two that there may be."""
        return self.agent._transport

    @property
    def road(self):
        """What is made anew with each restart, and after each quiet while."""
        return self.agent._road

    @property
    def hands(self):
        """What the road obeys with, imported now if need be."""
        while not self.road.hands():
            pass
        return self.road.hands()

    def receive(self, *frames):
        """Deliver, and let the agent work until it has nothing more to say. Returns [(token, status)] of its answers."""
        self.air.coming += frames
        before = len(self.air.sent)
        for _ in range(4 * len(frames) + 40):  # the road may have to be imported first
            self.agent.poll()
        return self.answers(before)

    def answers(self, since=0):
        frames = [frame for frame in self.air.sent[since:] if frame.type == wire.RESPONSE]
        return [(frame.elements["token"], frame.elements["status"]) for frame in frames]

    def cut(self, *frames):
        """Deliver; the power goes before what is admitted can be obeyed."""
        self.hands.commands.obey = self.road.govern = self._power_cut
        self.air.coming += frames
        raises(Reset, self.agent.poll)

    def _power_cut(self, *_):
        raise Reset()


class Still(Board):
    """A board whose stopwatch stands still: no quiet while passes, however slow the machine is that plays it."""

    def __enter__(self):
        self._ticks = Ticks()
        self._ticks.__enter__()
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        self._ticks.__exit__()


def data(nth, name=b"app.x", value=b"v"):
    return COMMAND.frame(wire.DATA, target=DEVICE, token=token(NOON, nth), name=name, value=value)


def action(nth, number, parameters=b"", target=DEVICE):
    return COMMAND.frame(wire.ACTION, target=target, token=token(NOON, nth), action=number, parameters=parameters)


def two_keys(nth, number, nonce, own=b"", key=AUTHORITY):
    """The same with a second signature."""
    signed = second.signed(wire.ACTION, DEVICE, token(NOON, nth), number, own, nonce)
    return action(nth, number, own + nonce + p256.sign(key.private, port.sha256(signed).digest()))


def answer(board, *arguments):
    """The status that answers ACTION (nth, number, parameters)."""
    ((_, value),) = board.receive(action(*arguments))
    return value


def told(board, name):
    """The values of all DATA of this name."""
    return [
        frame.elements["value"]
        for frame in board.air.sent
        if frame.type == wire.DATA and frame.elements["name"] == name
    ]


def identify(board, nth):
    board.receive(COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON, nth)))
    return json.loads(told(board, b"inventory")[-1])
