"""What a frame sets off, from step 2 to step 8, joined; in memory while there is something to do.

The agent makes a Road when it starts and whenever a frame comes, and lets it go, with its modules, when it has been idle for a
while. So whatever of a transaction matters is in the store, or keeps the road from being idle.

There are two things that it does not do at once, as a board with little memory has no room for both: to verify and to sign, which
takes P-256; and to obey, which takes the Hands. Each has its modules imported, one in each round, and where memory is short
the other's let go. A command that has been admitted comes first, then what is to be read and to be said, then the rest.
"""

from srup import keys, late, limits, port, reply, status, tokens, transaction, wire
from srup.auth import Auth
from srup.errors import NO_ROOM, NetworkError, Refused, Repeated, SrupError, StorageError, Throttled
from srup.limits import const
from srup.replay import Replay, groups
from srup.store import Store

_AFTER_FAULT = const(2)
_RESTING = (transaction.IDLE, transaction.STAGED)
_GOVERNING = (b"keys", b"clock", b"groups")
_BELONGING = {wire.JOIN_COMMAND: status.JOIN_SUCCESS, wire.DEREGISTER_COMMAND: status.DEREGISTER_SUCCESS}
_REASONS = {status.TOKEN_STALE: "stale", status.TOKEN_EXPIRED: "expired", status.TOKEN_AHEAD: "ahead"}
_UNSETTLED = (transaction.DOUBT, transaction.WAITING)


def _governs(command):
    """Does it say whom we obey?"""
    return command.type in _BELONGING or (command.type == wire.DATA and command.element("name") in _GOVERNING)


class Road:
    """choice: as for Agent · session: Session · restart: called for a hard reset · log: called with a line of text"""

    def __init__(self, config, root, choice, clock, hooks, transport, session, restart, log):
        self.config = config
        self.root = root
        self.choice = choice
        self.clock = clock
        self.hooks = hooks
        self.session = session
        self.log = log
        self._transport = transport
        self._restart = restart
        self._topic = b"srup/" + config.uuid.encode() + b"/up"
        self.reports = []  # (type, elements, changes of the store once it has gone)
        self.store = Store(root + "/state.log")
        clock.store = self.store
        self.keys = keys.Keys(self.store, root + "/device.key", root, config.tables_in_memory)
        self.outbox = reply.Outbox(self.store, self.keys, session.refusals)
        self.auth = Auth(self.keys, config.device, lambda: groups(self.store), self._admits)
        self.replay = Replay(
            self.store,
            self.keys,
            clock,
            lambda: transaction.staged(self.store),
            lambda: transaction.under_way(self.store),
        )
        self._p256 = late.Late("p256_nonce", "p256")
        self._obeys = late.Late("update", "paths", "backing", "updater", "commands", "hands")
        self._hands = None
        self._reading = False  # a frame waits for P-256
        self._command = None  # admitted, and not obeyed yet
        self._left = False  # there may be commands that are on record and open; _AFTER_FAULT: with the next connection
        self._found = self.state() not in _RESTING  # and an update that it has interrupted
        self._obeying = False  # and the application's hook may `poll`
        self._judged = False  # the trial that we are on
        session.recall(self.store, choice.version)

    def state(self):
        """Of the update, as `transaction` has it."""
        return transaction.state(self.store)

    def idle(self):
        """Nothing is under way, nothing is left to be said, and nothing is remembered that is not in the store."""
        return self.can_wait() and self.outbox.empty() and not self.keys.preparing()

    def can_wait(self):
        """Nothing is under way, and what is left to be said is in the store."""
        return not (self._busy() or self.reports) and (self.state() in _RESTING or self.held())

    def cut_off(self):
        """All that is left takes a connection, and there is none: it can be slept through. Not DOUBT, which ends by itself."""
        waits = self.state() in _RESTING + (transaction.WAITING,) or self.held()
        return waits and not (self._busy() or self._transport.up)

    def _busy(self):
        left = (self._left or self._found) and not self.held()
        return left or self._obeying or self._command or self._reading or self.session.ending is not None

    def held(self):
        """What a fault has left open waits, in the store, for the next connection: flash that fails is not worn in each round."""
        return self._left == _AFTER_FAULT and not (self._transport.up or self._at_work())

    def _at_work(self):
        return self._hands is not None and self._hands.updater.at_work()

    def fetching(self):
        """True while an update is being fetched."""
        return self.state() == transaction.FETCHING and not self.held()

    def working(self):
        """True while there is a next piece of it to be done now."""
        return self._hands is not None and self._hands.updater.working()

    @property
    def connected(self):
        return self._transport.up

    # what is in memory

    def hands(self):
        """The Hands; None while their modules are being imported, one in each call. Raises MemoryError, StorageError."""
        if self._hands is None:
            if not self._obeys.begun() and late.short():
                self.keys.pause()
                late.let_go_of_p256()
            if self._obeys.load():
                from srup.hands import Hands

                try:
                    self._hands = Hands(self, self._restart)
                except StorageError:
                    self._left = _AFTER_FAULT
                    raise
                self._found = False
        return self._hands

    def _has_p256(self):
        """True once P-256 is in memory; one of its modules is imported in each call."""
        if self._obeys.begun() and late.short():
            self.let_go_of_hands()
        return self._p256.load()

    def let_go_of_hands(self):
        """They are made again when they are needed; those that are at work stay."""
        if not (self._obeying or self._at_work()):
            self._hands = None
            self._obeys.let_go()

    # frames in

    def receive(self, payload):
        """Deal with a frame of the transport (None: there is none), which is acknowledged once it is on record. True once that is
        done; until then it is to be called again. A StorageError passes through before that."""
        self._reading = payload is not None and not (self._has_to_obey() or self.replay.full())
        if not self._reading or not self._has_p256():
            return False
        self._reading = False
        try:
            self._command = self._admitted(payload)
        except Throttled:
            # It waits, and all behind it: whoever floods us can slow his betters down, and not silence them.
            return False
        self._transport.acknowledge()
        return True

    def _admitted(self, payload):
        """The Command, or None for what is none."""
        try:
            command = self.replay.admit(self.auth.authenticate(wire.decode(payload)))
            self._left = _AFTER_FAULT  # it is on record
            if command.type == wire.ACTION:
                command.proven = self._proven(command)
            self._left = False
            self.session.heard = self.session.uptime
            return command
        except Repeated as again:
            self.outbox.again(again.token)
        except Refused as refusal:
            self._count(refusal)
            self.outbox.refuse(refusal.token, refusal.status)
        except (StorageError, Throttled):
            raise
        except SrupError as error:
            self._count(error)
        return None

    def _proven(self, command):
        """Has this ACTION two keys, where it takes them? Now, for that takes P-256, and what obeys has none."""
        from srup import policy

        try:
            if policy.takes_two_keys(self.config.policy, command.element("action")):
                from srup import second

                return second.prove(self, command)
        except Refused:
            pass  # it will be, in its turn
        return False

    def _count(self, error):
        refused = self.session.refused
        reason = _REASONS.get(error.status, error.reason) if isinstance(error, Refused) else error.reason
        refused[reason] = refused.get(reason, 0) + 1
        self.log("refused: %s (%s)" % (error.reason, error))

    def take_up(self):
        """Commands that the last start left open are obeyed or answered, in the rounds that follow."""
        self._left = bool(self.replay.received())

    # on it goes

    def pieces(self, up, down_since):
        """Generator: what there is to do in this round, in bounded pieces, (function, argument ...) each. The caller calls them, and
        not this, to have that much more of a chip's stack for them. up, down_since: as for Updater.watch"""
        if self._has_to_obey():
            if up or self._left != _AFTER_FAULT:
                yield from self._obeyed()
        elif self.fetching() or (self._watches(up) and not self._reading and not self._has_to_say(up)):
            yield (self.hands,)
        if self.working():
            yield (self._hands.updater.work,)
        if up and self.store.get(keys.MEMBERSHIP) in (keys.JOINING, keys.RESIGNING):
            yield (self._ask,)
        yield self._deliver, up
        if (
            self._hands and self._watches(up) and not self._has_to_say(up)
        ):  # or it would be overtaken by what comes of it
            self._judged = self.state() == transaction.TRIAL
            yield self._hands.updater.watch, up, down_since, self._test
        yield self._prepare, up

    def _test(self):
        """The application's own; None where it has none."""
        return self.hooks.call("self-test")

    def _ask(self):
        """Whoever is to let us in, or go, is told: now, and once in a while until it is done."""
        told = self.session.told
        recently = told is not None and port.within(limits.ASK_AGAIN, told)
        if not self.reports and not recently and self._has_p256():
            from srup import joining

            self.session.told = port.ticks_ms()
            joining.tell(self)

    def wish(self, what, voucher):
        """A person at the device asks to join, or to resign. True once that is in the store."""
        if not self._has_p256():
            return False
        from srup import joining

        self.session.told = None
        joining.ask(self, what, voucher)
        self.hear_groups()
        return True

    def _admits(self, kind):
        """In no fleet we obey nobody; whoever has been asked may let us in."""
        state = self.store.get(keys.MEMBERSHIP)
        return state is None or (state == keys.JOINING and kind == wire.JOIN_COMMAND)

    def _has_to_obey(self):
        return self._command or self._left or self._found

    def _has_to_say(self, up):
        return up and ((self.reports and not self.outbox.holds()) or self.outbox.due())

    def _watches(self, up):
        """Is there a trial to be judged, or a doubt to be settled?"""
        state = self.state()
        return state in _UNSETTLED or (state == transaction.TRIAL and self.choice.trial and up and not self._judged)

    def _prepare(self, up):
        """At last, what makes the next command faster: a piece of it."""
        if self.fetching():  # needs the memory
            self.keys.leave()
        elif self.keys.preparing() and not (self._has_to_obey() or self._watches(up)) and self._has_p256():
            self.keys.prepare()

    # commands

    def _obeyed(self):
        """Generator, as `pieces`: of a command."""
        governs = self._command is not None and _governs(self._command)
        if not governs:
            yield (self.hands,)
        hands = None if governs else self._hands
        if hands and self._left and not self._obeying:  # or what a hook has polled from would be taken up, too
            self._left = False
            yield self._do, hands.commands.take_up
        elif self._command and (governs or hands):
            command, self._command = self._command, None
            self.log("%s %s" % (wire.TYPES[command.type][0], reply.hexed(command.token)))
            yield self._do, self.govern if governs else hands.commands.obey, command
            if command.target != self.config.device:
                self._spread(command)
            if command.type in _BELONGING:
                self.let_go_of_hands()  # with what they remember
        self.hear_groups()

    def _spread(self, command):
        """It has reached a group: each member fetches, and answers, at a time of its own."""
        drawn = port.sha256(self.config.device + command.token).digest()
        ms = int.from_bytes(drawn[:4], "big") % (self.config.spread_s * 1000 + 1)
        self.outbox.hold(command.token, ms)
        if command.type == wire.INITIATE:
            self._hands.updater.wait(ms)

    def hear_groups(self):
        """Subscribe to the topics of our groups, and to none that we have left; in no fleet, tell nobody that we are online."""
        self._transport.quiet = self.store.get(keys.MEMBERSHIP) is not None
        before, self.session.groups = self.session.groups, groups(self.store)
        for group in before + self.session.groups:
            call = self._transport.subscribe if group in self.session.groups else self._transport.unsubscribe
            try:
                if group not in before or group not in self.session.groups:
                    call(_topic(group))
            except NetworkError as error:
                self._transport.drop(error)  # the next connection subscribes to all

    def _do(self, call, *arguments):
        before, self._obeying = self._obeying, True
        try:
            call(*arguments)
        except Exception:
            self._left = _AFTER_FAULT  # it is on record, and taken up again
            if not (
                before or self._at_work()
            ):  # what the hands remember may not be on record: they find out, made anew
                self._hands, self._found = None, self.state() not in _RESTING
            raise
        finally:
            self._obeying = before

    def govern(self, command):
        """Obey what says whom we obey. It takes no hands, and perhaps P-256: what changes and the answer are one record of the
        store."""
        try:
            changes, answer = self._governed(command), _BELONGING.get(command.type, status.DATA_SUCCESS)
        except Refused as refusal:
            self.log(str(refusal))
            changes, answer = {}, refusal.status
        changes.update(command.done())
        changes.update(reply.answer(command.token, answer))
        self.store.put(changes)

    def _governed(self, command):
        """The changes. Raises Refused. Years may pass between two such commands: what they take is imported now."""
        if command.type in _BELONGING:
            from srup import joining

            return joining.changes(self, command)
        if command.element("name") == b"groups":
            from srup import groups as members

            return members.changes(self.store, self.config.device, command)
        from srup import trust

        return trust.changes(self.store, self.keys, command)

    def fail_trial(self):
        """The application has crashed. True if that ends a trial: it restarts."""
        if not self.choice.trial:
            return False
        try:
            while not self.hands():
                pass
            from srup.update import UNHEALTHY

            return self._hands.updater.event(UNHEALTHY)
        except (StorageError,) + NO_ROOM as error:
            self.log("%s: %s" % (type(error).__name__, error))  # its deadline ends the trial
            return False

    def change_transport(self, transport):
        self._transport = transport
        self.outbox.disconnected()

    # answers out

    def own(self, name, value):
        """The elements of a DATA of ours. Its token is above all that were before: the store has one that none has reached
        yet, ten minutes ahead: one who polls all the time would wear it out otherwise. Raises StorageError."""
        session = self.session
        ceiling = self.store.get(b"D") or tokens.ZERO
        session.own = tokens.mint(self.clock.now(), session.own or ceiling, self._random())
        if session.own >= ceiling:
            self.store.put({b"D": tokens.first_at(tokens.milliseconds(session.own) + limits.OWN_TOKENS)})
        return {"target": self.config.device, "token": session.own, "name": name, "value": value}

    def _random(self):
        try:
            return port.random(8)
        except port.StuckRandom:
            return bytes(8)  # it is the order that counts

    def signed_poll(self, nonce):
        """The frame of DATA `poll`; None while P-256 is being imported. Raises MemoryError, StorageError."""
        return reply.sealed(self.keys, wire.DATA, self.own(b"poll", nonce)) if self._has_p256() else None

    def _deliver(self, up):
        """Send what waits to be said, and note what the broker has taken."""
        for handle in self._transport.acknowledged:
            self.outbox.acknowledged(handle)
        self._transport.acknowledged.clear()
        if self._has_to_obey() or not self._has_to_say(up) or not self._has_p256():
            return
        try:
            self.outbox.pump(self._send)
            while self.reports and not self.outbox.holds():
                kind, elements, changes = self.reports[0]
                self._send(reply.sealed(self.keys, kind, elements))
                self.store.put(changes)
                self.reports.pop(0)
        except NetworkError:
            pass  # what could not go stays, and the transport will notice

    def _send(self, frame):
        joins = self.store.get(keys.MEMBERSHIP) == keys.JOINING
        return self._transport.publish(b"srup/join" if joins else self._topic, frame)


def _topic(group):
    text = reply.hexed(group)
    return ("srup/group/%s-%s-%s-%s-%s/c2" % (text[:8], text[8:12], text[12:16], text[16:20], text[20:])).encode()
