"""What each action does (protocol.md, Actions), and whether this board lets it. Imported when one comes.

In this order: does the device know it, does its policy allow it, has it two keys where that takes them, do its parameters make
sense, does the application object. Then it is done, and what it changes in flash is one record with its answer.
"""

from srup import policy, port, status
from srup.commands import closing
from srup.errors import Refused
from srup.limits import const
from srup.session import DESTROY, NORMAL, OFF, SAFE

_LOW_POWER = const(0x02)
_SET_MODE = const(0x06)
_CANCEL = const(0x09)
_WITH_PARAMETERS = (_LOW_POWER, _SET_MODE, policy.SELF_DESTRUCT, _CANCEL)

_BEACON = "beacon"
_PROOF = const(80)  # bytes of a second signature and its nonce, see srup.second


class Actions:
    """road: Road · hands: Hands"""

    def __init__(self, road, hands):
        self._road = road
        self._hands = hands
        self._commands = hands.commands
        self._session = road.session

    def obey(self, command):
        """Do it, and close its record with the answer."""
        try:
            does, *arguments = self._judged(command, command.element("action"), command.element("parameters"))
            does(command, *arguments)
        except Refused as refusal:
            self._road.log("ACTION: " + refusal.why)
            self._commands.close(command, refusal.status)

    def _judged(self, command, action, parameters):
        """(method, argument ...) of what it comes to. Raises Refused."""
        name = policy.name(action)
        if name is None:
            raise Refused(status.ACTION_UNKNOWN, "unknown: 0x%02x" % action)
        two_keys = policy.takes_two_keys(self._road.config.policy, action)
        if two_keys:
            if not command.proven:
                raise Refused(status.ACTION_REFUSED, "it takes two keys")
            parameters = parameters[:-_PROOF]
        self._check(action, parameters)
        objects = self._road.hooks.call("before", name, parameters)
        if objects and not two_keys and action != _CANCEL and parameters != SAFE.encode():
            raise Refused(status.ACTION_REFUSED, "the application objects")
        if name == "APPLICATION":
            return self._application, action, parameters
        return getattr(self, "_" + name.lower()), parameters

    def _check(self, action, own):
        """Raises Refused for parameters that make no sense, or not here."""
        if action == _LOW_POWER:
            if len(own) != 4 or not int.from_bytes(own, "big"):
                raise Refused(status.ACTION_FAIL, "not seconds in 4 bytes")
            if int.from_bytes(own, "big") > self._road.config.max_sleep:
                raise Refused(status.ACTION_REFUSED, "longer than this board may sleep")
        elif own and action < policy.APPLICATION and action not in _WITH_PARAMETERS:
            raise Refused(status.ACTION_FAIL, "it takes no parameters")

    # each action

    def _application(self, command, action, own):
        self._commands.close(command, _outcome(self._road.hooks.call("action", action, own)))

    def _reboot(self, command, _):
        self._end(command, "ordered")

    def _low_power(self, command, own):
        self._commands.close(command, status.ACTION_SUCCESS, {b"P": own})
        self._session.interval = int.from_bytes(own, "big")

    def _wake(self, command, _):
        self._commands.close(command, status.ACTION_SUCCESS, {b"P": None})
        self._session.interval = 0

    def _connect(self, command, _):
        self._commands.close(command, status.ACTION_SUCCESS)
        self._session.called = port.ticks_ms()

    def _turn_off(self, command, _):
        from srup_boot import ends

        try:
            ends.off(
                self._road.root
            )  # first: where the power goes now it is answered as failed, and the power takes it back
        except OSError:
            self._commands.fail(command)
        else:
            self._end(command, OFF)

    def _self_destruct(self, command, _):
        """From here on it is on record, until the marker is: nothing but that ends it."""
        self._end(command, DESTROY, {b"E": b"\1"})

    def _self_test(self, command, _):
        from srup import health

        self._hands.tell(
            b"self-test", health.self_test(self._road, command.token), closing(command, status.ACTION_SUCCESS)
        )

    def _set_mode(self, command, own):
        mode, session = _text(own), self._session
        if mode == SAFE:
            self._change_mode(command, mode, {b"M": own}, not session.safe)
        elif mode == NORMAL and session.safe:
            self._change_mode(command, mode, {b"M": None}, True)
        else:
            known = self._road.hooks.call("mode", mode)
            if mode == _BEACON and not known:
                known = port.beacon(True, self._road.config.led) or known
            elif mode == NORMAL:
                known = known is not False
            if not known:
                self._commands.close(command, _outcome(known))
            else:
                self._change_mode(command, mode, None, False)

    def _change_mode(self, command, mode, changes, restart):
        if mode != _BEACON:
            port.beacon(False, self._road.config.led)
        self._commands.close(command, status.ACTION_SUCCESS, changes)
        self._session.mode = mode
        if restart:
            self._session.end("mode " + mode)

    def _revert(self, command, _):
        self._commands.attempt(command, self._hands.updater.revert)

    def _cancel(self, command, own):
        if not self._hands.updater.cancel(command, own, closing(command, status.ACTION_SUCCESS)):
            self._commands.fail(command)

    # how they end

    def _end(self, command, why, changes=None):
        self._commands.close(command, status.ACTION_SUCCESS, changes)
        self._session.end(why)


def _outcome(answer):
    if answer is None:
        return status.ACTION_UNKNOWN
    return status.ACTION_SUCCESS if answer else status.ACTION_FAIL


def _text(value):
    try:
        return value.decode()
    except UnicodeError:
        return ""
