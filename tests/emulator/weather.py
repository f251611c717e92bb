"""What a bad network does to the emulated board's IP packets, in both directions: it loses some, doubles some, delivers some late.

The board's TCP is lwIP's own, and what it has to do about it is real; the gateway's end sends again whatever is not acknowledged.
"""

import asyncio
import random
from collections.abc import Callable


class Weather:
    """lost, doubled, late: which part of all packets, 0 to 1; late ones come after later ones · mtu: longer packets vanish without
    a word, where somebody on the way filters ICMP · dark: all do, and TCP is not told either

    Set from any thread. met: how many packets each of these has befallen.
    """

    LATE_S = 0.25

    def __init__(self, lost: float = 0, doubled: float = 0, late: float = 0, mtu: int = 65535, seed: int = 1):
        self.lost, self.doubled, self.late, self.mtu = lost, doubled, late, mtu
        self.dark = False
        self.met = {"lost": 0, "doubled": 0, "late": 0, "too long": 0}
        self._random = random.Random(seed)

    def carry(self, packet: bytes, deliver: Callable[[bytes], None]) -> None:
        """Take one packet along: `deliver` it now, later, twice or never."""
        if len(packet) > self.mtu:
            self.met["too long"] += 1
        elif self.dark:
            self.met["lost"] += 1
        elif self._befalls("lost", self.lost):
            pass
        elif self._befalls("late", self.late):
            asyncio.get_running_loop().call_later(self.LATE_S, deliver, packet)
        else:
            deliver(packet)
            if self._befalls("doubled", self.doubled):
                deliver(packet)

    def _befalls(self, what: str, part: float) -> bool:
        found = self._random.random() < part
        self.met[what] += found
        return found
