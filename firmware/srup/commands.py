"""Step 6 of protocol.md, section 2: the values of a command are judged now, and acted on; each is answered once."""

from srup import keys, port, reply, status, update, wire
from srup.errors import Refused, StorageError

# What says of a command that it was not carried out; else it is ACTION_FAIL
_FAILED = {
    wire.INITIATE: status.UPDATE_FAIL_SPACE,
    wire.DATA: status.DATA_UNKNOWN,
    wire.JOIN_COMMAND: status.JOIN_FAIL,
    wire.DEREGISTER_COMMAND: status.DEREGISTER_FAIL,
}

_AUTHORITY = (b"keys", b"clock", b"settings")  # whose names an authority key signs, and nothing else

_NAME = b"abcdefghijklmnopqrstuvwxyz0123456789.-"


class Commands:
    """reports: those that have still to go, each with the changes that it makes then, as of Road · inform: called with an
    ID_REQUEST, to send the inventory, and with DATA `log` · govern: called with DATA `keys`, `clock` and `groups`, to obey it · actions: callable giving Actions · session: Session ·
    log: called with a line of text"""

    def __init__(self, store, replay, reports, updater, outbox, hooks, inform, govern, actions, session, log):
        self._store = store
        self._replay = replay
        self._reports = reports
        self._updater = updater
        self._outbox = outbox
        self._hooks = hooks
        self._inform = inform
        self._govern = govern
        self._actions = actions
        self._session = session
        self._log = log

    def obey(self, command):
        """Act on a Command, and close its record with the answer. Raises StorageError where that is not on record: it is to be
        taken up again."""
        try:
            if command.type == wire.INITIATE:
                self._updater.event(update.INITIATE, command)
            elif command.type == wire.ACTIVATE:
                self._updater.event(update.ACTIVATE, command, command.done())
            elif command.type == wire.DATA:
                self._data(command)
            elif command.type == wire.ACTION:
                self._actions().obey(command)
            elif command.type == wire.ID_REQUEST:
                self._inform(command)
            else:
                self.fail(command)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - no memory, or whatever it is: taken up again at each boot it would never end
            self._log("%s: %s" % (type(error).__name__, error))
            self.fail(command)

    def take_up(self):
        """Frames that a cut, or flash, left RECEIVED: harmless ones are obeyed now, others answered as failed, once."""
        self._take_up_initiates()
        for entry in self._replay.received():
            if entry not in self._replay.received() or any(entry in changes for _, _, changes in self._reports):
                continue  # one before it has closed it; or its report will, when that has gone
            command = self._replay.command(entry)
            if command.type == wire.ID_REQUEST:
                self.obey(command)
            elif command.type == wire.DATA:
                self.fail(command)  # first: what ends in a reset in the application's hook is not taken up for ever
                if not self._is_overtaken(command):
                    self.obey(command)
            elif command.type == wire.ACTIVATE:
                self._fail_activate(command)
            elif command.type != wire.INITIATE:
                self.fail(command)

    def _take_up_initiates(self):
        """Those that came during a trial, or just before a cut: the newest, which supersedes the others, if its key is still one."""
        newest = None
        for entry in self._replay.received():
            command = self._replay.command(entry)
            if command.type == wire.INITIATE and command.token != self._updater.token:
                if newest:
                    # each in a record of its own: older agents may have left any number
                    self.close(newest, status.SUPERSEDED)
                newest = command
        if newest and self._store.get(keys.entry(keys.COMMAND, newest.key_id)):
            self.obey(newest)
        elif newest:
            self.close(newest, status.SUPERSEDED)

    def _is_overtaken(self, command):
        """Has an authority key been obeyed since? Then it may have taken back what this one says."""
        if command.element("name") not in _AUTHORITY:
            return False
        newest = b""
        for entry, token in self._store.items(b"T"):  # see srup.replay
            if entry[9:] == command.target and self._store.get(keys.entry(keys.AUTHORITY, entry[1:9])):
                newest = max(newest, token)
        return newest != command.token

    def _fail_activate(self, command):
        ours = command.token == self._updater.token
        if not (ours and self._updater.event(update.UNCARRIED, None, command.done())):
            self._store.put(command.done())  # its update has come to another end, which was told

    def _data(self, command):
        name, value = command.element("name"), command.element("value")
        if name == b"confirm":
            self._confirm(command, value)
        elif name == b"log":
            self._inform(command)
        elif name == b"settings":
            self.attempt(command, self._updater.take_settings)
        elif name in (b"keys", b"clock", b"groups"):
            self._govern(command)
        else:
            known = name.startswith(b"app.") and all(sign in _NAME for sign in name)
            taken = known and self._hooks.call("data", name.decode(), value)
            self.close(command, status.DATA_SUCCESS if taken else status.DATA_UNKNOWN, self._older(command, name))

    def _older(self, command, name):
        """The changes that close what is open of the same name from before, whose hook has polled: after a cut it is not obeyed
        any more."""
        changes = {}
        for entry in self._replay.received():
            other = self._replay.command(entry)
            if other.type == wire.DATA and other.element("name") == name and other.token < command.token:
                changes.update(closing(other, status.DATA_UNKNOWN))
        return changes

    def _confirm(self, command, token):
        changes = closing(command, status.DATA_SUCCESS)
        if not self._session.safe:
            changes[b"M"] = None  # it was tried in spite of the mode, and what made that necessary is replaced
        if self._updater.confirm(command, token, changes):
            port.watch()  # no deadline any more
            self._take_up_initiates()
        else:
            already = self._outbox.latest(token) == status.ACTIVATE_SUCCESS
            self.close(command, status.DATA_SUCCESS if already else status.DATA_UNKNOWN)

    def attempt(self, command, begin):
        """What begins a trial is answered by what becomes of that; where it does not begin, at once."""
        changes = command.done()
        changes[b"S" + command.token] = None  # taken up after a cut, it was answered as failed until now
        try:
            if not begin(command, changes):
                self.fail(command)
        except Refused as refusal:
            self._log(str(refusal))
            self.close(command, refusal.status)

    def close(self, command, value, changes=None):
        """Answer it, and close its record. changes: of the store, made in the same atomic record."""
        all_changes = closing(command, value)
        all_changes.update(changes or {})
        self._store.put(all_changes)

    def fail(self, command):
        """As `close`: it was not carried out."""
        self.close(command, _FAILED.get(command.type, status.ACTION_FAIL))


def closing(command, value):
    """The store's changes that close its record and answer it."""
    changes = command.done()
    changes.update(reply.answer(command.token, value))
    return changes
