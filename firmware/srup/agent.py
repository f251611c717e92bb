"""The eight steps joined: what a frame sets off, and what the device does between frames.

An application calls `agent.poll()` in its own loop, or runs `agent.run()` beside its own tasks. Either way each call does one
bounded piece of work: it holds the application up for at most a quarter of a second, but for the name look-up, the TLS
handshake and a signature.
"""

import json

from srup import __version__, limits, port, reply, tokens, update, wire
from srup.auth import Auth
from srup.clock import Clock
from srup.commands import Commands
from srup.config import Config
from srup.errors import NetworkError, Refused, Repeated, SrupError, StorageError
from srup.hooks import Hooks, traceback
from srup.keys import Keys
from srup.replay import Replay
from srup.slots import FileSlots
from srup.store import Store
from srup.updater import Updater

_SLOTS = {0: "a", 1: "b"}


class Agent:
    """choice: what the boot part decided (srup_boot.start.Choice) · connect: the class of the transport · root: where the
    device's files are."""

    def __init__(self, choice, connect, root="/srup-data"):
        self.config = Config(root)
        self._root = root
        self._choice = choice
        self._store = Store(root + "/state.log")
        self._keys = Keys(self._store, root + "/device.key")
        self._clock = Clock(self._store, self.config.provisioned)
        self._slots = FileSlots(root, choice)
        self._outbox = reply.Outbox(self._store, self._keys)
        self._updater = Updater(
            self.config, self._store, self._keys, self._clock, self._slots, choice.trial, self.restart, self._log
        )
        self._auth = Auth(self._keys, self.config.device)
        self._replay = Replay(self._store, self._keys, self._clock, self._updater.staged, self._updater.under_way)
        self._hooks = Hooks(self._log)
        self._commands = Commands(
            self._store, self._replay.received, self._updater, self._outbox, self._hooks, self._inform, self._log
        )
        self._transport = connect(self.config.broker, self.config.uuid, self.config.authorities, self._clock.other_date)
        self._topic = b"srup/" + self.config.uuid.encode()
        self._reports = []
        self._taken_up = False  # what the last start left RECEIVED
        self._crashed = False
        self._was_up = False
        self._started = self._down_since = port.ticks_ms()
        self.refused = {}  # reason: how many frames

    # for the application

    def on_stop(self, hook):
        """hook(): put the hardware into a safe state. It has ten seconds; then comes a hard reset, whatever it does."""
        self._hooks.set("stop", hook)

    def on_self_test(self, hook):
        """hook() -> true if the application works. Decides, with the server's confirm, whether a new version stays."""
        self._hooks.set("self-test", hook)

    def on_mode(self, hook):
        """hook(mode: str) -> true if the application knows the mode and has entered it."""
        self._hooks.set("mode", hook)

    def on_data(self, hook):
        """hook(name: str, value: bytes) -> true if the application has taken DATA `app.…`."""
        self._hooks.set("data", hook)

    def on_action(self, hook):
        """hook(action: int 0x80...0xFF, parameters: bytes) -> true if it is done."""
        self._hooks.set("action", hook)

    def publish(self, topic, payload, retain=False, qos=0):
        """Publish bytes or text under app/<uuid>/ on the agent's connection. Raises NetworkError while there is none, and
        while so much waits to be sent that this does not fit."""
        payload = payload.encode() if isinstance(payload, str) else payload
        return self._transport.publish(self._app_topic(topic), payload, retain, qos)

    def subscribe(self, topic, callback):
        """callback(topic: bytes, payload: bytes) for messages under app/<uuid>/, now and after every reconnection. What it
        raises is told on the console. Raises ValueError for a topic with wildcards, or of more than 79 bytes."""
        self._transport.subscribe(
            self._app_topic(topic), lambda topic, payload: self._hooks.guard("subscription", callback, topic, payload)
        )

    def _app_topic(self, topic):
        return b"app/" + self.config.uuid.encode() + b"/" + topic.encode()

    @property
    def connected(self):
        return self._transport.up

    # the loop

    def start(self):
        """Take up what a restart or a power cut left. Called once, before the first `poll`."""
        trial = ", on trial" if self._choice.trial else ""
        self._log("agent %s, slot %s%s" % (__version__, _SLOTS.get(self._choice.slot, "none: recovery"), trial))
        if self._choice.note:
            self._log(self._choice.note)
        self._updater.recover(self._replay)
        self._clock.start()
        port.network_start(self.config.wifi)
        self._transport.subscribe(self._topic + b"/c2")

    async def run(self):
        """`poll` for ever, beside the application's own tasks."""
        while True:
            self.poll()
            await port.sleep_ms(0 if self._updater.working() else self.config.poll_ms)

    def poll(self):
        """One bounded piece of work. Raises nothing: where flash or heap fail, what is not on record is not acknowledged, and
        comes again on the next connection."""
        port.feed()
        try:
            self._round()
        except (StorageError, MemoryError) as error:
            self._log("%s: %s" % (type(error).__name__, error))
            self._transport.drop(error)
        self._restart_if_due()

    def _round(self):
        if not self._taken_up:
            self._taken_up = True  # whatever comes of it; now, when the application has its hooks in place
            self._commands.take_up()
        message = self._transport.poll()
        if message:
            self._receive(message[1])
        self._notice_connection()
        if self._updater.working():
            self._updater.work()
        self._deliver()
        self._updater.watch(self._transport.up, self._down_since, lambda: self._hooks.call("self-test"))

    # frames in

    def _receive(self, payload):
        """A frame from the transport, acknowledged once it is on record; a StorageError passes through before that."""
        command = None
        try:
            command = self._replay.admit(self._auth.authenticate(wire.decode(payload)))
        except Repeated as again:
            self._outbox.again(again.token)
        except Refused as refusal:
            self._count(refusal)
            self._outbox.refuse(refusal.token, refusal.status)
        except StorageError:
            raise
        except SrupError as error:
            self._count(error)
        self._transport.acknowledge()
        if command:
            self._log("%s %s" % (wire.TYPES[command.type][0], reply.hexed(command.token)))
            self._commands.obey(command)

    def _count(self, error):
        self.refused[error.reason] = self.refused.get(error.reason, 0) + 1
        self._log("refused: %s (%s)" % (error.reason, error))

    # answers out

    def _notice_connection(self):
        up = self._transport.up
        if up != self._was_up:
            self._was_up = up
            self._log("connected" if up else "connection lost: %s" % self._transport.fault)
            if not up:
                self._outbox.disconnected()
                self._down_since = port.ticks_ms()

    def _deliver(self):
        for handle in self._transport.acknowledged:
            self._outbox.acknowledged(handle)
        self._transport.acknowledged.clear()
        if not self._transport.up:
            return
        try:
            self._outbox.pump(self._send)
            while self._reports:
                frame, changes = self._reports[0]
                self._send(frame)
                self._store.put(changes)
                self._reports.pop(0)
        except NetworkError:
            pass  # what could not go stays, and the transport will notice

    def _send(self, frame):
        return self._transport.publish(self._topic + b"/up", frame)

    def _inform(self, command):
        """ID_REQUEST: queue DATA `inventory`, signed; the command's record is closed when it has gone."""
        value = json.dumps(self.inventory()).encode()
        token = tokens.mint(self._clock.now(), self._store.get(b"D") or tokens.ZERO, port.random(8))
        self._store.put({b"D": token})
        elements = {"target": self.config.device, "token": token, "name": b"inventory", "value": value}
        self._reports.append((reply.sealed(self._keys, wire.DATA, elements), command.done()))

    def inventory(self):
        """What runs here, for DATA `inventory`."""
        running = self._slots.manifest(self._choice.slot) or {}
        other = self._slots.manifest(self._slots.other()) or {}
        return {
            "name": running.get("name"),
            "version": running.get("version"),
            "tree": running.get("tree"),
            "counter": self._slots.record().counter,
            "other": other.get("version"),
            "trial": self._choice.trial and self._updater.state == update.TRIAL,
            "board": self.config.board,
            "agent": __version__,
            "refused": self.refused,
            "latest": {reply.hexed(key[1:]): entry[0] for key, entry in self._store.items(b"S")[-4:]},
            "clock": self._clock.now(),
            "heap": port.free_memory(),
        }

    # ends

    def crashed(self, error):
        """The application ended with an exception: keep the traceback; on trial, go back. Else start again, but not within a
        minute of the last start, nor during a download: a version that always crashes can still be replaced. Whoever calls
        goes on with `poll`, then."""
        text = traceback(error)
        self._log("the application crashed: " + text)
        try:
            with open(self._root + "/crash.txt", "w") as file:
                file.write(text)
        except OSError:
            pass  # the console has it
        if self._choice.trial and self._updater.event(update.UNHEALTHY):
            return
        self._stop()
        port.arm(0)
        self._crashed = True

    def _restart_if_due(self):
        """After REBOOT: as soon as the RESPONSE is delivered, and in ten seconds at the latest. After a crash: see there."""
        rebooting_since = self._commands.rebooting_since
        if rebooting_since is not None:
            due = self._outbox.empty() or not port.within(limits.STOP_HOOK_S * 1000, rebooting_since)
        else:
            busy = self._updater.state == update.FETCHING or port.within(limits.REACHABLE, self._started)
            due = self._crashed and not busy
        if due:
            self.restart()

    def restart(self):
        """The stop hook, ten seconds at most, then a hard reset."""
        self._log("restarting")
        self._commands.rebooting_since = None  # the hook may poll
        self._stop()
        self._transport.close()
        port.reset()

    def _stop(self):
        port.arm(limits.STOP_HOOK_S)
        self._hooks.call("stop")
        self._hooks.clear()

    def _log(self, text):
        print("srup:", text)
