"""A board in a story: an agent over a folder in flash, between a transport that the story plays and an application."""

import json

from srup import agent, keys, port, tokens, wire
from srup.errors import NetworkError
from srup.store import Store
from srup_boot import record, start
from tests.unit.check import raises
from tests.unit.scratch import folder, write
from tests.unit.server import DEVICE, NOON, Key, token

COMMAND = Key("command")
UUID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
NAMES = ("reset", "arm", "clock_is_set", "network_start", "random")


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
        self.callbacks = {}

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

    def drop(self, error):
        self.up, self.fault = False, error

    def close(self):
        self.up = False


class Board:
    """`with Board() as board:` an agent over a folder in flash; `restart` forgets all that is not there."""

    def __init__(self, trial=False):
        self.root = folder()
        config = {
            "uuid": UUID,
            "board": "UNIX",
            "broker": {"host": "localhost", "port": 1, "tls": False},
            "allow": ["localhost:8443"],
            "provisioned": NOON - 86_400_000,
        }
        write(self.root + "/config.json", json.dumps(config).encode())
        write(self.root + "/device.key", Key("device").private)
        keys.install(Store(self.root + "/state.log"), keys.COMMAND, COMMAND.public, tokens.first_at(NOON - 86_400_000))
        self._trial = trial
        self.resets = 0

    def __enter__(self):
        self._real = [(name, getattr(port, name)) for name in NAMES]
        port.reset, port.arm = self._reset, lambda seconds: None
        port.clock_is_set, port.network_start = (lambda: False), (lambda wifi, ppp: None)
        self.restart()
        return self

    def __exit__(self, *_):
        for name, real in self._real:
            setattr(port, name, real)

    def _reset(self):
        self.resets += 1
        raise Reset()

    def restart(self):
        choice = start.Choice(0, self._trial, record.load(self.root), "", record.NONE)
        self.agent = agent.Agent(choice, Air, self.root)
        self.agent.start()
        self.air = self.agent._transport

    @property
    def road(self):
        """What is made anew with each restart, and after each quiet while."""
        return self.agent._road

    def receive(self, *frames):
        """Deliver, and let the agent work until it has nothing more to say. Returns [(token, status)] of its answers."""
        self.air.coming += frames
        before = len(self.air.sent)
        for _ in range(2 * len(frames) + 30):  # the road may have to be imported first
            self.agent.poll()
        return self.answers(before)

    def answers(self, since=0):
        frames = [frame for frame in self.air.sent[since:] if frame.type == wire.RESPONSE]
        return [(frame.elements["token"], frame.elements["status"]) for frame in frames]

    def cut(self, *frames):
        """Deliver; the power goes before what is admitted can be obeyed."""
        self.road.commands.obey = self._power_cut
        self.air.coming += frames
        raises(Reset, self.agent.poll)

    def _power_cut(self, *_):
        raise Reset()


def data(nth, name=b"app.x", value=b"v"):
    return COMMAND.frame(wire.DATA, target=DEVICE, token=token(NOON, nth), name=name, value=value)


def action(nth, number, parameters=b""):
    return COMMAND.frame(wire.ACTION, target=DEVICE, token=token(NOON, nth), action=number, parameters=parameters)
