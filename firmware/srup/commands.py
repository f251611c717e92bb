"""Step 6 of protocol.md, section 2: the values of a command are judged now, and acted on; each is answered once."""

from srup import port, reply, status, update, wire
from srup.errors import Refused
from srup.limits import const

# Actions (protocol.md)
_REBOOT = const(0x01)
_SET_MODE = const(0x06)
_REVERT = const(0x08)
_CANCEL = const(0x09)
_APPLICATION = const(0x80)  # and above

# What says of a command that it was not carried out; else it is ACTION_FAIL
_FAILED = {
    wire.INITIATE: status.UPDATE_FAIL_SPACE,
    wire.DATA: status.DATA_UNKNOWN,
    wire.JOIN_COMMAND: status.JOIN_FAIL,
    wire.DEREGISTER_COMMAND: status.DEREGISTER_FAIL,
}

_NAME = b"abcdefghijklmnopqrstuvwxyz0123456789.-"


class Commands:
    """received: callable giving the Commands still RECEIVED · inform: called with an ID_REQUEST, to send the inventory ·
    log: called with a line of text"""

    def __init__(self, store, received, updater, outbox, hooks, inform, log):
        self._store = store
        self._received = received
        self._updater = updater
        self._outbox = outbox
        self._hooks = hooks
        self._inform = inform
        self._log = log
        self.rebooting_since = None  # ticks_ms of a REBOOT that waits for its answer to be delivered

    def obey(self, command):
        """Act on a Command, and close its record with the answer."""
        try:
            self._act(command)
        except (MemoryError, port.StuckRandom) as error:  # taken up again at each boot it would never end
            self._log("%s: %s" % (type(error).__name__, error))
            self._fail(command)

    def take_up(self):
        """Frames that a cut left RECEIVED: harmless ones are obeyed now, others answered as failed, once."""
        self._take_up_initiates()
        for command in self._received():
            if command.type == wire.ID_REQUEST:
                self.obey(command)
            elif command.type == wire.DATA:
                self._fail(command)  # first: what ends in a reset in the application's hook is not taken up for ever
                self.obey(command)
            elif command.type == wire.ACTIVATE:
                self._fail_activate(command)
            elif command.type != wire.INITIATE:
                self._fail(command)

    def _take_up_initiates(self):
        """Those that came during a trial, or just before a cut."""
        for command in self._received():
            if command.type == wire.INITIATE and command.token != self._updater.token:
                self.obey(command)

    def _fail_activate(self, command):
        ours = command.token == self._updater.token
        if not (ours and self._updater.event(update.UNCARRIED, None, command.done())):
            self._store.put(command.done())  # its update has come to another end, which was told

    def _act(self, command):
        if command.type == wire.INITIATE:
            self._updater.event(update.INITIATE, command)
        elif command.type == wire.ACTIVATE:
            self._updater.event(update.ACTIVATE, command, command.done())
        elif command.type == wire.DATA:
            self._data(command)
        elif command.type == wire.ACTION:
            self._action(command)
        elif command.type == wire.ID_REQUEST:
            self._inform(command)
        else:
            self._fail(command)

    def _data(self, command):
        name, value = command.element("name"), command.element("value")
        if name == b"confirm":
            self._confirm(command, value)
        elif name == b"settings":
            self._try(command, self._updater.take_settings)
        else:
            known = name.startswith(b"app.") and all(sign in _NAME for sign in name)
            taken = known and self._hooks.call("data", name.decode(), value)
            self._close(command, status.DATA_SUCCESS if taken else status.DATA_UNKNOWN)

    def _confirm(self, command, token):
        if self._updater.confirm(command, token, _closing(command, status.DATA_SUCCESS)):
            port.watch()  # no deadline any more
            self._take_up_initiates()
        else:
            already = self._outbox.latest(token) == status.ACTIVATE_SUCCESS
            self._close(command, status.DATA_SUCCESS if already else status.DATA_UNKNOWN)

    def _try(self, command, begin):
        """What begins a trial is answered by what becomes of that; where it does not begin, at once."""
        changes = command.done()
        changes[b"S" + command.token] = None  # taken up after a cut, it was answered as failed until now
        try:
            if not begin(command, changes):
                self._fail(command)
        except Refused as refusal:
            self._log(str(refusal))
            self._close(command, refusal.status)

    def _action(self, command):
        action, parameters = command.element("action"), command.element("parameters")
        if action == _REBOOT:
            self._close(command, status.ACTION_SUCCESS)
            self.rebooting_since = port.ticks_ms()
        elif action == _CANCEL:
            if not self._updater.cancel(command, parameters, _closing(command, status.ACTION_SUCCESS)):
                self._fail(command)
        elif action == _REVERT:
            self._try(command, self._updater.revert)
        elif action == _SET_MODE:
            self._close(command, _outcome(self._hooks.call("mode", _text(parameters))))
        elif action >= _APPLICATION:
            self._close(command, _outcome(self._hooks.call("action", action, parameters)))
        else:
            self._close(command, status.ACTION_UNKNOWN)

    def _close(self, command, value):
        self._store.put(_closing(command, value))

    def _fail(self, command):
        self._close(command, _FAILED.get(command.type, status.ACTION_FAIL))


def _closing(command, value):
    """The store's changes that close its record and answer it."""
    changes = command.done()
    changes.update(reply.answer(command.token, value))
    return changes


def _outcome(answer):
    if answer is None:
        return status.ACTION_UNKNOWN
    return status.ACTION_SUCCESS if answer else status.ACTION_FAIL


def _text(value):
    try:
        return value.decode()
    except UnicodeError:
        return ""
