"""The eight steps joined: what a frame sets off, and what the device does between frames.

An application calls `agent.poll()` in its own loop, or runs `agent.run()` beside its own tasks. Either way each call does one
bounded piece of work: it holds the application up for at most a quarter of a second, but for the name look-up, the TLS
handshake and a signature.
"""

import io
import json
import sys

from srup import __version__, limits, port, reply, status, tokens, update, wire
from srup.auth import Auth
from srup.clock import Clock
from srup.config import Config
from srup.errors import NetworkError, Refused, Repeated, SrupError, StorageError
from srup.keys import Keys
from srup.limits import const
from srup.replay import Replay
from srup.slots import FileSlots
from srup.store import Store
from srup.updater import Updater

# Actions (protocol.md)
_REBOOT = const(0x01)
_SET_MODE = const(0x06)
_CANCEL = const(0x09)
_APPLICATION = const(0x80)  # and above

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
        self._replay = Replay(self._store, self._keys, self._clock, self._updater.staged)
        self._transport = connect(self.config.broker, self.config.uuid, self.config.authorities)
        self._topic = b"srup/" + self.config.uuid.encode()
        self._hooks = {}
        self._reports = []
        self._restart_at = None
        self._was_up = False
        self._down_since = port.ticks_ms()
        self.refused = {}  # reason: how many frames

    # for the application

    def on_stop(self, hook):
        """hook(): put the hardware into a safe state. It has ten seconds; then comes a hard reset, whatever it does."""
        self._hooks["stop"] = hook

    def on_self_test(self, hook):
        """hook() -> true if the application works. Decides, with the server's confirm, whether a new version stays."""
        self._hooks["self-test"] = hook

    def on_mode(self, hook):
        """hook(mode: str) -> true if the application knows the mode and has entered it."""
        self._hooks["mode"] = hook

    def on_data(self, hook):
        """hook(name: str, value: bytes) -> true if the application has taken DATA `app.…`."""
        self._hooks["data"] = hook

    def on_action(self, hook):
        """hook(action: int 0x80...0xFF, parameters: bytes) -> true if it is done."""
        self._hooks["action"] = hook

    def publish(self, topic, payload, retain=False, qos=0):
        """Publish bytes or text under app/<uuid>/ on the agent's connection. Raises NetworkError while there is none."""
        payload = payload.encode() if isinstance(payload, str) else payload
        return self._transport.publish(self._app_topic(topic), payload, retain, qos)

    def subscribe(self, topic, callback):
        """callback(topic: bytes, payload: bytes) for messages under app/<uuid>/, now and after every reconnection."""
        self._transport.subscribe(self._app_topic(topic), callback)

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
        self._clock.start()
        port.network_start(self.config.wifi)
        self._transport.subscribe(self._topic + b"/c2")
        self._updater.recover(self._replay)
        self._take_up_received()

    async def run(self):
        """`poll` for ever, beside the application's own tasks."""
        while True:
            self.poll()
            await port.sleep_ms(0 if self._updater.working() else self.config.poll_ms)

    def poll(self):
        """One bounded piece of work."""
        port.feed()
        message = self._transport.poll()
        if message:
            self._receive(message[1])
        self._notice_connection()
        if self._updater.working():
            self._updater.work()
        self._deliver()
        self._updater.watch(self._transport.up, self._down_since, self._self_test)
        self._restart_if_due()

    # frames in

    def _receive(self, payload):
        """A frame from the transport, acknowledged once it is on record. A StorageError passes through: the frame is not
        acknowledged, and the broker sends it again."""
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
            self._obey(command)

    def _count(self, error):
        self.refused[error.reason] = self.refused.get(error.reason, 0) + 1
        self._log("refused: %s (%s)" % (error.reason, error))

    def _take_up_received(self):
        """Frames that a cut left RECEIVED: harmless ones are obeyed now, others answered as failed, once."""
        self._take_up_initiates()
        for command in self._replay.received():
            if command.type in (wire.DATA, wire.ID_REQUEST):
                self._obey(command)
            elif command.type == wire.ACTIVATE:
                self._updater.event(update.UNCARRIED, None, command.done())
            elif command.type != wire.INITIATE:
                self._close(command, status.ACTION_FAIL)

    def _take_up_initiates(self):
        """Those that came during a trial, or just before a cut."""
        for command in self._replay.received():
            if command.type == wire.INITIATE and command.token != self._updater.token:
                self._obey(command)

    # step 6 of protocol.md: values are judged, and acted on

    def _obey(self, command):
        try:
            self._act(command)
        except MemoryError:  # taken up again at each boot it would never end
            self._log("no memory for it")
            self._close(command, status.ACTION_FAIL)

    def _act(self, command):
        if command.type == wire.INITIATE:
            self._updater.event(update.INITIATE, command)
        elif command.type == wire.ACTIVATE:
            self._updater.event(update.ACTIVATE, command, command.done())
        elif command.type == wire.DATA:
            self._obey_data(command)
        elif command.type == wire.ACTION:
            self._obey_action(command)
        elif command.type == wire.ID_REQUEST:
            self._report(b"inventory", json.dumps(self.inventory()).encode(), command.done())
        else:
            self._close(command, status.ACTION_UNKNOWN)

    def _obey_data(self, command):
        name, value = command.element("name"), command.element("value")
        if name == b"confirm":
            known = self._confirm(command, value)
        else:
            known = name.startswith(b"app.") and self._hook("data", _text(name), value)
        self._close(command, status.DATA_SUCCESS if known else status.DATA_UNKNOWN)

    def _confirm(self, command, token):
        """True if what `token` names is confirmed, now or already."""
        if self._updater.confirm(command, token):
            port.arm(0)
            self._take_up_initiates()
            return True
        return self._outbox.latest(token) == status.ACTIVATE_SUCCESS

    def _obey_action(self, command):
        action, parameters = command.element("action"), command.element("parameters")
        if action == _REBOOT:
            self._close(command, status.ACTION_SUCCESS)
            self._restart_at = port.ticks_add(port.ticks_ms(), limits.STOP_HOOK_S * 1000)
        elif action == _CANCEL:
            named = parameters == self._updater.token and self._updater.event(update.CANCEL, command)
            self._close(command, status.ACTION_SUCCESS if named else status.ACTION_FAIL)
        elif action == _SET_MODE:
            self._close(command, _outcome(self._hook("mode", _text(parameters))))
        elif action >= _APPLICATION:
            self._close(command, _outcome(self._hook("action", action, parameters)))
        else:
            self._close(command, status.ACTION_UNKNOWN)

    def _close(self, command, value):
        changes = command.done()
        changes.update(reply.answer(command.token, value))
        self._store.put(changes)

    def _hook(self, name, *arguments):
        """What the application's hook says; None where it has none. Its faults are its own: told, and counted as false."""
        hook = self._hooks.get(name)
        if hook is None:
            return None
        try:
            return bool(hook(*arguments))
        except Exception as error:  # noqa: BLE001 - whatever an application may raise
            self._log("%s hook: %s" % (name, _traceback(error)))
            return False

    def _self_test(self):
        return self._hook("self-test")

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

    def _report(self, name, value, changes):
        """Queue a signed DATA to the server; `changes` are stored when it has gone."""
        token = tokens.mint(self._clock.now(), self._store.get(b"D") or tokens.ZERO, port.random(8))
        self._store.put({b"D": token})
        elements = {"target": self.config.device, "token": token, "name": name, "value": value}
        self._reports.append((reply.sealed(self._keys, wire.DATA, elements), changes))

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
        """The application ended with an exception: keep the traceback; on trial, go back; else start again."""
        text = _traceback(error)
        self._log("the application crashed: " + text)
        try:
            with open(self._root + "/crash.txt", "w") as file:
                file.write(text)
        except OSError:
            pass  # the console has it
        if not (self._choice.trial and self._updater.event(update.UNHEALTHY)):
            self.restart()

    def _restart_if_due(self):
        """After REBOOT: as soon as the RESPONSE is delivered, and in ten seconds at the latest."""
        if self._restart_at is None:
            return
        if self._outbox.empty() or port.ticks_diff(port.ticks_ms(), self._restart_at) >= 0:
            self.restart()

    def restart(self):
        """The stop hook, ten seconds at most, then a hard reset."""
        self._log("restarting")
        port.arm(limits.STOP_HOOK_S)
        self._hook("stop")
        self._transport.close()
        port.reset()

    def _log(self, text):
        print("srup:", text)


def _outcome(answer):
    if answer is None:
        return status.ACTION_UNKNOWN
    return status.ACTION_SUCCESS if answer else status.ACTION_FAIL


def _text(value):
    try:
        return value.decode()
    except UnicodeError:
        return ""


def _traceback(error):
    """The exception as the REPL would print it."""
    out = io.StringIO()
    if hasattr(sys, "print_exception"):
        sys.print_exception(error, out)
    else:
        import traceback

        traceback.print_exception(error, file=out)
    return out.getvalue()  # pyright: ignore[reportAttributeAccessIssue] - missing in the stubs
