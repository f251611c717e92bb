"""What is always there: the connection, the application's side of it, and the next thing to do. A frame goes to `road`, which
is in memory while there is something to do, and not while the device waits.

An application calls `agent.poll()` in its own loop, or runs `agent.run()` beside its own tasks. Either way each call does one
bounded piece of work: it holds the application up for at most a quarter of a second, but for the name look-up, the TLS
handshake and a signature.
"""

from srup import __version__, late, limits, port
from srup.clock import Clock
from srup.config import Config
from srup.errors import NO_ROOM, NoMemory, StorageError
from srup.hooks import Hooks, traceback
from srup.session import DESTROY, Session
from srup.sntp import Sntp

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
        self._connect = connect
        self._transport = self._by_mqtt()
        self._sntp = Sntp(self.config.ntp, self._clock)
        self._late = late.Late("store", "wire", "keys", "auth", "replay", "reply", "transaction", "road")
        self._road = None
        self._road_used = 0  # ticks_ms of when it last was not idle
        self._at_work = False  # in `poll`: a hook of the application may call that, too
        self._starved = 0  # times in a row that there was no memory for it
        self._rest = None  # Rest, in low power
        self._taken_up = False  # what the last start, or a fault, has left RECEIVED
        self._wish = None  # what a person at the device asks for
        self._crashed = False
        self._ordered = False  # a transaction asks for a restart
        self._steady = False
        self._was_up = False
        self._fault = None  # of the connection, as it was told last
        self._started = self._down_since = port.ticks_ms()
        self._session = Session()
        self._ways = self._two_ways() if self.config.https else None

    # for the application

    def on_stop(self, hook):
        """hook(): put the hardware into a safe state. It has ten seconds; then comes a hard reset, whatever it does."""
        self._hooks.set("stop", hook)

    def on_self_test(self, hook):
        """hook() -> true if the application works. Decides, with the server's confirm, whether a new version stays."""
        self._hooks.set("self-test", hook)

    def on_before(self, hook):
        """hook(action: str, parameters: bytes), before an action happens; APPLICATION is one of the application's own. A true
        answer is an objection, and the action is refused; but not one that takes two keys, CANCEL, or SET_MODE `safe`."""
        self._hooks.set("before", hook)

    def on_mode(self, hook):
        """hook(mode: str) -> true if the application knows the mode and has entered it. `beacon` and `normal` come here too; for
        a `beacon` that it does not know the board's LED blinks, where there is one."""
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
        state, slots = late.once("srup_boot.record").load(root), late.once("srup_boot.slot")
        for slot in (state.active, state.fallback):
            try:
                slots.verify(root, slot)
                return slots.slot_path(root, slot)
            except (slots.BadSlot, IndexError):
                pass
        return None

    def on_action(self, hook):
        """hook(action: int 0x80...0xFF, parameters: bytes) -> true if it is done."""
        self._hooks.set("action", hook)

    def join(self, voucher=b""):
        """A person at the device wants it to join the fleet whose keys it has. Nothing else ever makes a device join that has left.
        voucher: 16 bytes that the server gave for this; without it a person there compares the six words on the console."""
        self._wish = "join", voucher

    def resign(self):
        """A person at the device wants it to leave its fleet: from now on it obeys nobody."""
        self._wish = "resign", b""

    def steady(self):
        """This start of the board went well: it does not count as a crash. The agent says so itself after a minute; an
        application that sends the board to sleep before says it first. Five starts in a row without: the slot is left."""
        if not self._steady and not self._choice.trial and not self._crashed:
            self._steady = True
            self._in_record(lambda state: state.stable(self._choice.slot, self._root))

    def _in_record(self, change):
        try:
            change(late.once("srup_boot.record").load(self._root))
        except (OSError,) + NO_ROOM as error:
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
    def safe(self):
        """SET_MODE `safe` holds: the application is not to be started."""
        return self._session.safe

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
        from srup import cause

        self._session.cause = cause.take(self._root)
        late.meet("p256", "hands", "http", "incoming", "download", "unpack", "records", "patch")
        self._clock.start()
        if not self._choice.trial:
            port.watch()
        self._start_network()
        self._transport.subscribe(b"srup/" + self.config.uuid.encode() + b"/c2")
        self._road.hear_groups()

    async def run(self):
        """`poll` for ever, beside the application's own tasks."""
        while True:
            self.poll()
            await port.sleep_ms(0 if self._road and self._road.working() else self.config.poll_ms)

    def poll(self):
        """One bounded piece of work. Raises nothing: where flash or heap fail, or we do, what is not on record is not acknowledged,
        and comes again on the next connection; where that does not help, all starts anew."""
        port.feed()
        outer, self._at_work = self._at_work, True
        try:
            road = None if self._ordered else self._round(outer)
            if road:
                for piece in road.pieces(self._transport.up, self._down_since):
                    piece[0](*piece[1:])  # here: a chip's stack has room for some 25 calls in one another
                    if self._ordered:
                        break  # this start is over
        except Exception as error:  # noqa: BLE001 - the application is to go on, and whoever would mend us to reach us
            self._log("%s: %s" % (type(error).__name__, error))
            self._transport.drop(error)
            if not isinstance(error, StorageError):
                self._starve()
        finally:
            self._at_work = outer
        self._restart_if_due()

    def _round(self, within):
        """Listen. Returns the Road, if there is something for it to do. within: this is called by what the Road has called."""
        self._session.count()
        if not within:
            self._leave_idle_road()
        if self._ways and not within:
            self._turn()
        if self._sleeps():
            return None
        if not port.within(limits.REACHABLE, self._started):
            self.steady()
        self._sntp.poll()
        message = self._listen()
        answers = self._transport.up and not self._was_up  # there may be some, from before
        road = self._open_road() if message or answers or self._wish or self._late.begun() else None
        if road and self._wish and road.wish(*self._wish):
            self._wish = None
        if road and not self._taken_up:
            road.take_up()  # now, when the application has its hooks in place
            self._taken_up = True
        if road and road.receive(message and message[1]):
            self._starved = 0
        self._notice_connection()
        return road if road and not self._waits_for_memory(road) else None

    def _sleeps(self):
        """In low power: was this round slept through?"""
        if not self._session.interval and self._rest is None:
            return False
        if self._rest is None:
            from srup.rest import Rest

            self._rest = Rest(self._session, self._transport, self._start_network, self._log)
        road, up = self._road, self._transport.up
        unheard = self._late.begun() or (up and not self._taken_up)
        asleep = self._rest.sleeps(road.idle() or road.cut_off() if road else not unheard)
        self._was_up = self._was_up and not asleep
        if not self._session.interval:
            self._rest.rise()
            self._rest = None
        return asleep

    def _by_mqtt(self):
        return self._connect(self.config.broker, self.config.uuid, self.config.authorities, self._clock.other_date)

    def _two_ways(self):
        from srup.ways import Ways  # only where there are two

        return Ways(self.config, self._session, self._by_mqtt, self._sign_poll, self._clock.other_date)

    def _turn(self):
        """Go on by the other transport where it is time to; not during a download, nor while something is under way by this one:
        but one that is down, or on which nobody is heard, is not waited for."""
        road = self._road
        at_work = self._transport.up and road and not (road.idle() or self._ways.unheard())
        if self._taken_up and road and (at_work or road.fetching()):
            return
        transport = self._ways.turn(self._transport)
        if transport is not self._transport:
            self._transport, self._was_up = transport, False
            if self._road:
                self._road.change_transport(transport)
            if self._rest:
                self._rest.rise()
                self._rest = None

    def _sign_poll(self, nonce):
        road = self._open_road()
        return road.signed_poll(nonce) if road else None

    def _start_network(self):
        port.network_start(self.config.wifi, self.config.ppp)

    def _listen(self):
        """The message that the transport has for us, or None; the same one until the road has acknowledged it."""
        if self._makes_room():
            self._transport.close()
            return None
        return self._transport.poll()

    def _makes_room(self):
        """With drop_mqtt the connection makes room for the one by which a bundle comes, and is made again after it; polls always
        do."""
        makes = self.config.drop_mqtt or (self._ways is not None and self._ways.polls)
        return makes and self._road is not None and self._road.fetching()

    def _waits_for_memory(self, road):
        """After there was none, what there is to do is tried again with the next connection, as those that fail have a growing pause
        between them."""
        return self._starved and not self._transport.up and not road.fetching()

    def _notice_connection(self):
        up, fault = self._transport.up, self._transport.fault
        is_new, self._fault = fault is not self._fault, fault
        if not (up or self._was_up) and fault and is_new:
            self._log("no connection: %s" % fault)
            if isinstance(fault, NoMemory) and not (self._road and self._road.fetching()):
                self._starve()
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
                self._session,
                self._restart_as_ordered,
                self._log,
            )
        return self._road

    def _leave_idle_road(self):
        road = self._road
        if road and not road.idle() and not self._has_to_connect_first(road):
            self._road_used = port.ticks_ms()
        elif road and (self._has_to_connect_first(road) or not port.within(limits.LINGER, self._road_used)):
            self._clock.keep_floor()
            self._road, self._taken_up = None, not road.held()
            late.empty(road)
            self._late.let_go("road")

    def _has_to_connect_first(self, road):
        """After a download with drop_mqtt, and before each poll: TLS needs the memory in which the road lies, and without it nothing
        can be said."""
        return self.config.drop_mqtt and self._taken_up and not self._transport.linked and road.can_wait()

    def _starve(self):
        """The application leaves the agent no memory, or none in one piece: try again, and in the end with all of it anew."""
        if self._road:
            self._road.let_go_of_hands()
        else:
            self._late.let_go()
        self._starved += 1
        if self._starved >= limits.STARVED:
            self.restart("memory")

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
            return self._restart_if_due()
        self._stop()
        port.watch()
        self._crashed = True

    def _restart_if_due(self):
        """After an action that ends in one: as soon as its RESPONSE is delivered, and after ten seconds (SELF_DESTRUCT: thirty) at the
        latest. After a crash: see there."""
        road, session = self._road, self._session
        if self._ordered:
            self._ordered = False  # the hook may poll
            self.steady()
            self.restart("update")
        elif session.ending is not None:
            patience = limits.DESTROY_S if session.ending == DESTROY else limits.STOP_HOOK_S
            if (road and road.outbox.empty()) or not port.within(patience * 1000, session.ending_since):
                if session.ending == DESTROY:
                    self._mark_end()
                self._in_record(lambda state: state.afresh(self._root))  # also out of recovery
                self.restart(session.ending)
        elif self._crashed:
            busy = (road and road.fetching()) or port.within(limits.REACHABLE, self._started)
            if not busy:
                self.restart("crash")

    def _mark_end(self):
        """After the next reset the boot part does it, whatever the application's hook does now."""
        from srup_boot import ends

        try:
            ends.end(self._root)
        except (OSError,) + NO_ROOM as error:
            self._log("not marked: %s" % error)  # it is still on record: at the next start, then

    def _restart_as_ordered(self):
        """By a transaction: no crash. Not here, deep down in what carries it out: a chip's stack is 8 KB."""
        self._ordered = True

    def restart(self, why="application"):
        """The stop hook, ten seconds at most, then a hard reset. why: a word, for the next start's inventory."""
        self._log("restarting")
        self._session.ending = None  # the hook may poll
        self._stop()
        self._transport.close()
        self._note(why)
        port.reset()

    def _note(self, why):
        try:
            from srup import cause

            cause.note(self._root, why)
        except NO_ROOM:
            pass  # it may be why

    def _stop(self):
        port.arm(limits.STOP_HOOK_S)
        self._hooks.call("stop")
        self._hooks.clear()

    def _log(self, text):
        print("srup:", text)
