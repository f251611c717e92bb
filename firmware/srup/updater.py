"""The update under way: carries out what the table in `update` says, with `download` and `slots`, and survives restarts.

In the store: "U" -> state | token 16 | key_id 8 of the INITIATE · "I" -> digest of the file that lies in `incoming`.
"""

from srup import limits, port, reply, status, update, wire
from srup.download import Download
from srup.errors import Refused, StorageError, UpdateFailed
from srup_boot import record as boot

_NOBODY = bytes(24)


class Updater:
    """One transaction at a time. restart: called for a hard reset · log: called with a line of text."""

    def __init__(self, config, store, keys, clock, slots, on_trial, restart, log):
        self._config = config
        self._store = store
        self._keys = keys
        self._clock = clock
        self._slots = slots
        self._on_trial = on_trial  # the slot that runs is the one on trial
        self._restart = restart
        self._log = log
        self._work = None
        self._work_at = port.ticks_ms()
        self._told_trial = False
        self._replay = None
        entry = store.get(b"U") or bytes(1) + _NOBODY
        self.state, self.token, self._signer = entry[0], entry[1:17], entry[17:25]

    def staged(self):
        """(token, key_id) of the staged update, or None: what ACTIVATE may name."""
        return (self.token, self._signer) if self.state == update.STAGED else None

    def event(self, event, cause=None, changes=None):
        """Step the table and carry its effects out; False where the event means nothing now.

        cause: as for `update.step` · changes: of the store, made in the same atomic record as the step.
        """
        found = update.step(self.state, event, cause)
        if found is None:
            return False
        after, effects = found
        changes = dict(changes or {})
        if update.SUPERSEDE in effects:
            changes.update(self._finished(status.SUPERSEDED))
        if event == update.INITIATE and after == update.FETCHING:
            self.token, self._signer = cause.token, cause.key_id
        if update.MAKE_PERMANENT in effects:
            self._slots.confirm()  # the record first, and only then the word
        for effect in effects:
            if effect[0] == update.ANSWER:
                changes.update(self._finished(effect[1]))
        changes[b"U"] = bytes((after,)) + self.token + self._signer
        self._store.put(changes)
        self.state = after
        try:
            for effect in effects:
                self._carry_out(effect)
        except Refused as refusal:  # nothing whole in the other slot
            self._log(refusal.why)
            self.event(update.UNCARRIED)
        return True

    def _finished(self, value):
        """The answer under the update's token; its INITIATE is let go."""
        self._log("%s %s" % (status.name(value), reply.hexed(self.token)))
        changes = reply.answer(self.token, value)
        initiate = self._initiate()
        if initiate:
            changes.update(initiate.done())
        return changes

    def _initiate(self):
        """The INITIATE of the update under way, or None once it is staged or has failed."""
        for command in self._replay.received():
            if command.type == wire.INITIATE and (command.token, command.key_id) == (self.token, self._signer):
                return command
        return None

    def _carry_out(self, effect):
        if effect == update.FETCH:
            self._stop_work()
            self._work = self._fetching(self._initiate())
            self._work_at = port.ticks_ms()
        elif effect == update.DROP:
            self._stop_work()
            self._slots.drop_incoming()
        elif effect == update.DISCARD:
            self._slots.erase_other()
        elif effect == update.SWITCH:
            self._slots.activate(self.token, self._config.trial_s, limits.TRIAL_BOOTS)
        elif effect == update.GO_BACK:
            self._slots.revert(boot.SELF_TEST)
        elif effect == update.RESTART:
            self._restart()

    # fetching

    def working(self):
        """True while there is a next piece of work to be done now."""
        return self._work is not None and port.ticks_diff(port.ticks_ms(), self._work_at) >= 0

    def work(self):
        """One piece: a chunk of the download, or of unpacking it."""
        try:
            wait = next(self._work)  # pyright: ignore[reportArgumentType] - there is some: `working`
        except StopIteration:
            self._work = None
            self.event(update.FETCHED)
        except UpdateFailed as failure:
            self._failed(failure.status, failure.why)
        except (StorageError, OSError) as error:
            self._failed(status.UPDATE_FAIL_STORAGE, "flash: %s" % error)
        else:
            self._work_at = port.ticks_add(port.ticks_ms(), wait or 0)

    def _failed(self, value, why):
        self._work = None
        self._log("update failed: " + why)
        self.event(update.FAILED, value)

    def _stop_work(self):
        if self._work:
            self._work.close()
            self._work = None

    def _fetching(self, initiate):
        """Generator: download, then unpack into the other slot."""
        digest = initiate.element("digest")
        if self._store.get(b"I") != digest:  # what lies there is another file
            self._slots.drop_incoming()
            self._store.put({b"I": digest})
        download = Download(
            initiate.element("url"),
            digest,
            self._slots.incoming,
            self._config.authorities,
            self._config.allow,
            self._slots.room(),
            self._config.download_attempts,
            self._clock.set_back,
        )
        yield from download.run()
        self._log("downloaded %d bytes" % download.done)
        yield from self._slots.stage(self._keys, self._config.board, port.mpy())

    # restarts and trials

    def recover(self, replay):
        """What the restart found: RESUMED, UNCARRIED, TRIAL_... of the table."""
        self._replay = replay
        if self.state == update.TRIAL and not self._on_trial and self._slots.record().outcome != boot.TRIAL:
            self.event(self._trial_ended())
        if self.state == update.FETCHING:
            self.event(update.RESUMED)

    def _trial_ended(self):
        """What the boot record says of the trial that we are not on."""
        record = self._slots.record()
        if record.token != self.token:
            return update.UNCARRIED
        if record.outcome == boot.CONFIRMED:
            return update.TRIAL_CONFIRMED
        return update.TRIAL_UNPROVEN if record.reason == boot.UNPROVEN else update.TRIAL_REFUTED

    def confirm(self, command, token):
        """True if the trial that `token` names, and that we are on, is now permanent."""
        return token == self.token and self._on_trial and self.event(update.CONFIRM, command)

    def watch(self, up, down_since, self_test):
        """Between frames: a trial that can be judged, a doubt that can be settled.

        up: connected · down_since: ticks_ms of when we last were · self_test: callable, None where there is none.
        """
        if self.state == update.TRIAL and self._on_trial:
            if up and not self._told_trial:
                self._told_trial = True
                self.event(update.UNHEALTHY if self_test() is False else update.HEALTHY)
        elif self.state == update.DOUBT:
            if up:
                self.event(update.ONLINE)
            elif port.ticks_diff(port.ticks_ms(), down_since) > self._config.trial_s * 1000:
                self.event(update.OFFLINE)
        elif self.state == update.WAITING and up:
            self.event(update.EXHAUSTED if self._slots.record().retries >= limits.TRIAL_RETRIES else update.ONLINE)
