"""What time it is, as far as the device can know (protocol.md, section 2, Clock). Milliseconds since 1970.

The floor is the newest authenticated token's time, kept in flash, the time the device was provisioned, and the time this
software was made. The clock itself (NTP) lives in RAM and never moves the floor; nor does it go where the floor says that it
can't be.
"""

from srup import MADE, limits, port, status, tokens
from srup.errors import Refused

FLOOR = b"C"


class Clock:
    """store: Store, or whatever else has its `get`; another may take its place at any time · provisioned: milliseconds"""

    def __init__(self, store, provisioned):
        self.store = store
        self._provisioned = max(provisioned, MADE)
        self._at_floor = True
        self.in_doubt = False  # TLS or a signed token has contradicted it since it was set: it is worth asking again

    def floor(self):
        """The earliest that it can be."""
        stored = self.store.get(FLOOR)
        return max(self._provisioned, int.from_bytes(stored, "big") if stored else 0)

    def keep_floor(self):
        """The store goes; its floor stays."""
        self.store = {FLOOR: self.store.get(FLOOR)}

    def now(self):
        """The best guess: the clock where it is set, else the floor."""
        return port.now_ms() if port.clock_is_set() else self.floor()

    def check(self, token, repairs=False):
        """Raise Refused(TOKEN_EXPIRED or TOKEN_AHEAD) for a token too old or too new to be obeyed.

        repairs: it is a DATA `clock`, by which alone a board is reached again that was off for more than 400 days.
        """
        then = tokens.milliseconds(token)
        if not port.clock_is_set():
            if then > self.floor() + limits.AHEAD_UNSET and not repairs:
                raise Refused(status.TOKEN_AHEAD, "more than 400 days ahead of all that is known", token)
        elif then < port.now_ms() - limits.FRESH:
            self.refuse(status.TOKEN_EXPIRED, "older than the freshness window", token)
        elif then > port.now_ms() + limits.AHEAD:
            self.refuse(status.TOKEN_AHEAD, "ahead of the clock", token)

    def refuse(self, code, why, token):
        """Raise Refused, for what whoever signed it may have wrong, or the clock."""
        self.in_doubt = True
        raise Refused(code, why, token)

    def raised(self, token):
        """The store's change that raises the floor to this token's time, by at most 30 days; {} if it does not."""
        floor = self.floor()
        then = min(tokens.milliseconds(token), floor + limits.FLOOR_STEP, port.LATEST)
        return {FLOOR: then.to_bytes(6, "big")} if then > floor else {}

    def learn(self, ms):
        """An NTP server says that it is `ms`. False, and nothing changes, where that is before the floor or, as with tokens,
        more than 400 days after it: else who forges an NTP answer could have a token accepted that locks all later ones out.
        Nor is it taken where the board has no such date: its clock would be set to another one.
        """
        floor = self.floor()
        if not floor - limits.AHEAD <= ms <= min(floor + limits.AHEAD_UNSET, port.LATEST):
            return False
        port.set_clock(ms, True)
        self.in_doubt = False
        return True

    def start(self):
        """Give TLS a sane date where nobody has set the clock: the floor."""
        if not port.clock_is_set():
            port.set_clock(self.floor())

    def other_date(self):
        """TLS failed, perhaps on a date. Where nobody has set the clock it goes to the provisioning time, at the next failure
        to the floor again, and so on: neither a floor gone wrong nor a forged certificate cuts the device off for good.

        True where the clock has changed, and it is worth another try.
        """
        if port.clock_is_set():
            self.in_doubt = True
            return False
        self._at_floor = not self._at_floor
        port.set_clock(self.floor() if self._at_floor else self._provisioned)
        return True
