"""The update under way: carries out what the table in `update` says, with `download` and `slots`, and survives restarts.

In the store: "U" -> see `transaction` · "I" -> digest of the file that lies in `incoming` · "R" -> token of the trial for which
the board was started once more.
"""

from srup import late, limits, port, reply, status, transaction, update, wire
from srup.errors import NO_ROOM, Refused, UpdateFailed
from srup.limits import const
from srup_boot import record as boot

# What a transaction brings
_STAGED = const(0)  # what was fetched into the other slot
_PREVIOUS = const(1)  # what is in the other slot from before
_SETTINGS = const(2)
_DATA = const(3)  # what was fetched for the application that runs
_TREE = const(16)  # digits of a tree that are kept of what was staged
_BEGINS = {update.INITIATE: _STAGED, update.REVERT: _PREVIOUS, update.SETTINGS: _SETTINGS}


class Updater:
    """One transaction at a time. data: callable giving DataSlots · restart: called for a hard reset · log: called with a line of
    text."""

    def __init__(self, config, store, keys, clock, slots, data, on_trial, restart, log):
        self._config = config
        self._store = store
        self._keys = keys
        self._clock = clock
        self._slots = slots
        self._on_trial = on_trial  # the slot that runs is the one on trial
        self._data = data
        self._restart = restart
        self._log = log
        self._work = None  # the generator that fetches
        self._end = None  # the event that its end is, while the table has not taken it
        self._pause = 0  # milliseconds from `_paused_at` to its next piece
        self._paused_at = port.ticks_ms()
        self._replay = None
        self.state, self.token, self._signer, self._brings, self._tree = transaction.load(store)

    def event(self, event, cause=None, changes=None):
        """Step the table and carry its effects out; False where the event means nothing now.

        cause: as for `update.step` · changes: of the store, made in the same atomic record as the step.
        """
        if event == update.ACTIVATE and self._brings == _DATA:
            event = update.HAND_OVER
        found = update.step(self.state, event, cause)
        if found is None:
            return False
        after, effects = found
        changes = dict(changes or {})
        if event == update.INITIATE:
            changes.update(self._superseded(cause))
        if update.SUPERSEDE in effects:
            changes.update(self._finished(status.SUPERSEDED))
        brought = self._brings
        token, signer, brings, tree = self.token, self._signer, self._brings, self._tree
        if event in _BEGINS and update.DEFER not in effects:
            token, signer, brings, tree = cause.token, cause.key_id, _BEGINS[event], b""
        if update.MAKE_PERMANENT in effects:
            self._slots.confirm()  # the record first, and only then the word
        for effect in effects:
            if effect[0] == update.ANSWER:
                changes.update(self._finished(effect[1]))
        changes.update(transaction.change(after, token, signer, brings, tree))
        self._store.put(changes)
        self.state, self.token, self._signer, self._brings, self._tree = after, token, signer, brings, tree
        then = update.TRIAL_CONFIRMED if update.HAND in effects else None
        try:
            for effect in effects:
                if effect != update.DISCARD:
                    self._carry_out(effect)
                elif brought in (_STAGED, _DATA):  # what else there is lies in nobody's way
                    self._where(brought).discard_other()
        except Exception as error:  # noqa: BLE001 - nothing whole in the other slot; flash would not take it; no memory for it
            self._log("%s: %s" % (type(error).__name__, error))
            then = update.UNCARRIED
        if then:
            self.event(then)
        return True

    def _finished(self, value):
        """The answer under the update's token; its INITIATE is let go."""
        self._log("%s %s" % (status.name(value), reply.hexed(self.token)))
        changes = reply.answer(self.token, value)
        initiate = self._initiate()
        if initiate:
            changes.update(initiate.done())
        return changes

    def _superseded(self, newest):
        """The answers to all INITIATEs but the newest; they are let go. So of those that come during a trial one waits."""
        changes = {}
        for entry in self._replay.received():
            command = self._replay.command(entry)
            if command.type == wire.INITIATE and entry != newest.record:
                changes.update(command.done())
                changes.update(reply.answer(command.token, status.SUPERSEDED))
        return changes

    def _initiate(self):
        """The INITIATE of the update under way, or None once it is staged or has failed."""
        for entry in self._replay.received():
            command = self._replay.command(entry)
            if command.type == wire.INITIATE and (command.token, command.key_id) == (self.token, self._signer):
                return command
        return None

    def _carry_out(self, effect):
        if effect == update.FETCH:
            self._stop_work()
            self._work = self._fetching()
        elif effect == update.DROP:
            self._stop_work()
            self._slots.drop_incoming()
        elif effect == update.HAND:
            self._check_staged()
            self._data().hand_over(self.token)
        elif effect == update.SWITCH:
            self._switch()
        elif effect == update.GO_BACK:
            self._go_back()
        elif effect == update.RESTART:
            self._restart()

    def _where(self, brought):
        return self._data() if brought == _DATA else self._slots

    def _lies_there(self, brings):
        """How the tree of what is whole in the other slot begins; b"" where nothing is."""
        slots = self._where(brings)
        manifest = slots.manifest(slots.other())
        return manifest["tree"][:_TREE].encode() if manifest else b""

    def _check_staged(self):
        """Raise Refused where that is another than the transaction has staged."""
        if self._tree and self._tree != self._lies_there(self._brings):
            raise Refused(status.ACTIVATE_FAIL, "not what was staged")

    def _switch(self):
        self._check_staged()
        if self._brings == _SETTINGS:
            self._slots.activate_settings(self.token, self._config.trial_s, limits.TRIAL_BOOTS)
        else:
            self._slots.activate(self.token, self._config.trial_s, limits.TRIAL_BOOTS)

    def _go_back(self, reason=boot.SELF_TEST):
        """True once that is in the boot record. If not, the restart goes on to the next of the trial's boots, of which there are
        few: whatever it is, it must not end a trial that runs, by which the version before would be discarded."""
        try:
            self._slots.revert(reason)
            return True
        except Exception as error:  # noqa: BLE001 - of flash, or no memory
            self._log("%s: %s" % (type(error).__name__, error))
            return False

    # fetching

    def at_work(self):
        """True while an update is being fetched."""
        return self._work is not None

    def working(self):
        """True while there is a next piece of work to be done now."""
        return self._work is not None and not port.within(self._pause, self._paused_at)

    def wait(self, ms):
        """The next piece of work is not done before so many milliseconds have passed."""
        self._pause, self._paused_at = ms, port.ticks_ms()

    def work(self):
        """One piece: a chunk of the download, or of unpacking it. Raises StorageError where its end could not be recorded: it
        is then tried again."""
        try:
            if self._end is None:
                self._pause = next(self._work) or 0  # pyright: ignore[reportArgumentType] - there is some: `working`
                self._paused_at = port.ticks_ms()
                return
        except StopIteration as end:
            self._end = self._fetched(end.value)
        except UpdateFailed as failure:
            self._end = self._failed(failure.status, failure.why)
        except NO_ROOM as error:
            self._end = self._failed(status.UPDATE_FAIL_SPACE, "no memory for it: %s" % error)
        except Exception as error:  # noqa: BLE001 - of flash; or nobody has foreseen it, and then it is no success either
            self._end = self._failed(status.UPDATE_FAIL_STORAGE, "%s: %s" % (type(error).__name__, error))
        self.event(*self._end)
        self._stop_work()

    def _fetched(self, staged):
        """staged: what `_fetching` has returned; None of a generator that was broken off before."""
        if not staged:
            return self._failed(status.UPDATE_FAIL_STORAGE, "broken off")
        self._brings, self._tree = staged
        return update.FETCHED, None

    def _failed(self, value, why):
        self._log("update failed: " + why)
        return update.FAILED, value

    def _stop_work(self):
        work, self._work, self._end, self._pause = self._work, None, None, 0
        try:
            if work:
                work.close()
        except OSError:
            pass  # closing the file that it wrote: what matters of it is read back

    def _fetching(self):
        """Generator: download, then unpack into the other slot. Returns (what it brings, how its tree begins): not before all of
        it is done."""
        late.let_go_of_p256()
        from srup.download import Download  # only now: an update may be a year away

        yield 0  # where MQTT makes room it does so now, and its 17 KB stay in one piece for the next TLS
        initiate = self._initiate()
        if initiate is None:
            raise UpdateFailed(status.UPDATE_FAIL_STORAGE, "its INITIATE is gone")
        yield from self._slots.sweep()
        digest = initiate.element("digest")
        if self._store.get(b"I") != digest:  # what lies there is another file
            self._slots.drop_incoming()
            self._store.put({b"I": digest})
        download = Download(
            initiate.element("url"),
            digest,
            self._slots.into(self._keys, self._config.board, port.mpy()),
            self._config.authorities,
            self._config.allow,
            self._config.download_attempts,
            self._clock.other_date,
            self._log,
        )
        yield from download.run()
        self._log("downloaded %d bytes" % download.done)
        del download, Download, initiate  # and their modules: the room is for what unpacks
        late.let_go_of("srup.download", "srup.http", "srup.incoming")
        kind = yield from self._slots.stage(self._keys, self._config.board, port.mpy(), self._data)
        brings = _DATA if kind == "data" else _STAGED
        return brings, self._lies_there(brings)

    # restarts and trials

    def recover(self, replay):
        """What the restart found: RESUMED, UNCARRIED, TRIAL_... of the table."""
        self._replay = replay
        if self.state == update.TRIAL and not self._on_trial:
            found = self._trial_ended()
            if found:
                self.event(found)
        if self.state == update.FETCHING:
            self.event(update.RESUMED)

    def _trial_ended(self):
        """What the boot record says of the trial that we are not on; None where the board is to start again for it.

        It can't be due: then this start would be one of it, if flash had taken that. One more may, and else it is taken back."""
        record = self._where(self._brings).record()
        if record.token != self.token:
            return update.UNCARRIED
        if record.outcome == boot.TRIAL:
            if self._store.get(b"R") == self.token:
                return update.UNCARRIED if self._go_back(boot.COMMANDED) else None
            self._store.put({b"R": self.token})
            self._restart()
            return None
        if record.outcome == boot.CONFIRMED:
            return update.TRIAL_CONFIRMED
        return update.TRIAL_UNPROVEN if record.reason == boot.UNPROVEN else update.TRIAL_REFUTED

    def confirm(self, command, token, changes):
        """True if the trial that `token` names, and that we are on, is now permanent. changes: as for `event`."""
        return token == self.token and self._on_trial and self.event(update.CONFIRM, command, changes)

    def cancel(self, command, token, changes):
        """True if the update that `token` names is now discarded. changes: as for `event`."""
        return token == self.token and self.event(update.CANCEL, command, changes)

    def revert(self, command, changes):
        """Run the previous version again, on trial. False where an update is under way. Raises Refused where there is none, or
        its security counter forbids it. changes: as for `event`."""
        if self.state != update.IDLE:
            return False
        self._slots.check_previous()
        return self.event(update.REVERT, command, changes)

    def take_settings(self, command, changes):
        """Try new settings. False where an update is under way. Raises Refused for what are none. changes: as for `event`."""
        if self.state != update.IDLE:
            return False
        from srup.settings import store

        store(self._config.root, self._slots.record().settings, command.element("value"))
        return self.event(update.SETTINGS, command, changes)

    def watch(self, up, down_since, self_test):
        """Between frames: judge the trial that we are on and nobody has judged yet; settle a doubt.

        up: connected · down_since: ticks_ms of when we last were · self_test: callable, None where there is none.
        """
        if self.state == update.TRIAL and self._on_trial:
            if up:
                self.event(update.UNHEALTHY if self_test() is False else update.HEALTHY)
        elif self.state == update.DOUBT:
            if up:
                self.event(update.ONLINE)
            elif not port.within(self._config.trial_s * 1000, down_since):
                self._log("the server can't be reached from here either: it was the network")
                self.event(update.OFFLINE)
        elif self.state == update.WAITING and up:
            self.event(update.EXHAUSTED if self._slots.record().retries >= limits.TRIAL_RETRIES else update.ONLINE)
