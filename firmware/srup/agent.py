"""What is always there: the connection, the application's side of it, and the next thing to do. A frame goes to `road`, which
is in memory while there is something to do, and not while the device waits.

An application calls `agent.poll()` in its own loop, or runs `agent.run()` beside its own tasks. Either way each call does one
bounded piece of work: it holds the application up for at most a quarter of a second, but for the name look-up, the TLS
handshake and a signature.
"""

from srup import __version__, late, limits, port
from srup.clock import Clock
from srup.config import Config
from srup.errors import StorageError
from srup.hooks import Hooks, traceback
from srup.late import Late
from srup.sntp import Sntp
from srup_boot import record
from srup_boot.slot import BadSlot, slot_path, verify

_SLOTS = {0: "a", 1: "b"}


class Agent:
    """choice: what the boot part decided (srup_boot.start.Choice) · connect: the class of the transport · root: where the
    device's files are."""

    def __init__(self, choice, connect, root="/srup-data"):
        self.config = Config(root, choice.settings)
        self._root = root
        self._choice = choice
        self._clock = Clock({}, self.config.provisioned)
        self._hooks = Hooks(self._log)
        self._transport = connect(self.config.broker, self.config.uuid, self.config.authorities, self._clock.other_date)
        self._sntp = Sntp(self.config.ntp, self._clock)
        # fmt: off
        self._late = Late(
            "store", "wire", "p256_nonce", "p256", "keys", "auth", "replay", "update", "reply",
            "bundle", "meant", "paths", "backing", "updater", "commands", "road",
        )
        # fmt: on
        self._road = None
        self._road_used = 0  # ticks_ms of when it last was not idle
        self._starved = 0  # times in a row that there was no memory for it
        self._taken_up = False  # what the last start left RECEIVED
        self._crashed = False
        self._steady = False
        self._was_up = False
        self._started = self._down_since = port.ticks_ms()
        self.refused = {}  # reason: how many frames
        self._refusals = []  # as Outbox remembers them

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

    def on_files(self, hook):
        """hook(folder: str, manifest: dict) -> true if the application takes these new files for its own: bundles of kind
        `data`. If it does not, those that it had stay."""
        self._hooks.set("files", hook)

    def files(self):
        """The folder of the files that the application took last, whole; None if there are none."""
        root = self._root + "/data"
        state = record.load(root)
        for slot in (state.active, state.fallback):
            try:
                verify(root, slot)
                return slot_path(root, slot)
            except (BadSlot, IndexError):
                pass
        return None

    def on_action(self, hook):
        """hook(action: int 0x80...0xFF, parameters: bytes) -> true if it is done."""
        self._hooks.set("action", hook)

    def steady(self):
        """This start of the board went well: it does not count as a crash. The agent says so itself after a minute; an
        application that sends the board to sleep before says it first. Five starts in a row without: the slot is left."""
        if not self._steady and not self._choice.trial and not self._crashed:
            self._steady = True
            self._in_record(lambda state: state.stable(self._choice.slot, self._root))

    def _in_record(self, change):
        try:
            change(record.load(self._root))
        except OSError as error:
            self._log("boot record not saved: %s" % error)

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
        while not self._open_road():
            pass
        late.meet("download", "unpack", "records", "patch")
        self._clock.start()
        if not self._choice.trial:
            port.watch()
        port.network_start(self.config.wifi, self.config.ppp)
        self._transport.subscribe(b"srup/" + self.config.uuid.encode() + b"/c2")

    async def run(self):
        """`poll` for ever, beside the application's own tasks."""
        while True:
            self.poll()
            await port.sleep_ms(0 if self._road and self._road.updater.working() else self.config.poll_ms)

    def poll(self):
        """One bounded piece of work. Raises nothing: where flash or heap fail, what is not on record is not acknowledged, and
        comes again on the next connection."""
        port.feed()
        try:
            self._round()
        except (StorageError, MemoryError) as error:
            self._log("%s: %s" % (type(error).__name__, error))
            self._transport.drop(error)
            if isinstance(error, MemoryError):
                self._starve()
        self._restart_if_due()

    def _round(self):
        self._leave_idle_road()
        self._sntp.poll()
        message = self._listen()
        answers = self._transport.up and not self._was_up  # there may be some, from before
        road = self._open_road() if message or answers or self._late.begun() else None
        if road and not self._taken_up:
            self._taken_up = True  # whatever comes of it; now, when the application has its hooks in place
            road.take_up()
        if road and message:
            road.receive(message[1])
            self._starved = 0
        self._notice_connection()
        if road:
            self._go_on(road)
        if not port.within(limits.REACHABLE, self._started):
            self.steady()

    def _listen(self):
        """The message that the transport has for us, or None; the same one until the road has acknowledged it."""
        if self._makes_room():
            self._transport.close()
            return None
        return self._transport.poll()

    def _makes_room(self):
        """With drop_mqtt the connection makes room for the one by which a bundle comes, and is made again after it."""
        return self.config.drop_mqtt and self._road is not None and self._road.fetching()

    def _go_on(self, road):
        if road.updater.working():
            road.updater.work()
        road.deliver()
        road.updater.watch(self._transport.up, self._down_since, lambda: self._hooks.call("self-test"))

    def _notice_connection(self):
        up = self._transport.up
        if up != self._was_up:
            self._was_up = up
            self._log("connected" if up else "connection lost: %s" % self._transport.fault)
            if not up:
                self._down_since = port.ticks_ms()
                if self._road:
                    self._road.outbox.disconnected()

    # the road

    def _open_road(self):
        """The Road; None while its modules are being imported, one in each call. Raises MemoryError, StorageError."""
        if self._road is None and self._late.load():
            from srup.road import Road

            self._road_used = port.ticks_ms()
            self._road = Road(
                self.config,
                self._root,
                self._choice,
                self._clock,
                self._hooks,
                self._transport,
                self.refused,
                self._refusals,
                self._restart_as_ordered,
                self._log,
            )
            self._road.recover()
        return self._road

    def _leave_idle_road(self):
        if self._road and not self._road.idle() and not self._has_to_connect_first():
            self._road_used = port.ticks_ms()
        elif self._road and (self._has_to_connect_first() or not port.within(limits.LINGER, self._road_used)):
            self._clock.keep_floor()
            self._road = None
            self._late.let_go()

    def _has_to_connect_first(self):
        """After a download with drop_mqtt: TLS needs the memory in which the road lies, and without it nothing can be said."""
        return self.config.drop_mqtt and self._taken_up and not self._transport.up and self._road.can_wait()

    def _starve(self):
        """The application leaves the agent no memory: try again, and in the end with an application that starts anew."""
        if not self._road:
            self._late.let_go()
        self._starved += 1
        if self._starved >= limits.STARVED:
            self.restart()

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
        if self._road and self._road.fail_trial():
            return
        self._stop()
        port.watch()
        self._crashed = True

    def _restart_if_due(self):
        """After REBOOT: as soon as the RESPONSE is delivered, and in ten seconds at the latest. After a crash: see there."""
        road = self._road
        rebooting_since = road.commands.rebooting_since if road else None
        if rebooting_since is not None:
            due = road.outbox.empty() or not port.within(limits.STOP_HOOK_S * 1000, rebooting_since)
            if due:
                self._in_record(lambda state: state.afresh(self._root))  # also out of recovery
        else:
            busy = (road and road.fetching()) or port.within(limits.REACHABLE, self._started)
            due = self._crashed and not busy
        if due:
            self.restart()

    def _restart_as_ordered(self):
        """By a transaction: no crash."""
        self.steady()
        self.restart()

    def restart(self):
        """The stop hook, ten seconds at most, then a hard reset."""
        self._log("restarting")
        if self._road:
            self._road.commands.rebooting_since = None  # the hook may poll
        self._stop()
        self._transport.close()
        port.reset()

    def _stop(self):
        port.arm(limits.STOP_HOOK_S)
        self._hooks.call("stop")
        self._hooks.clear()

    def _log(self, text):
        print("srup:", text)
