"""How simulated devices behave: how many of them badly, and how."""

import hashlib
import random
from dataclasses import dataclass, field

GOOD = "good"
BAD = "bad"  # the new version fails its self-test
CRASH = "crash"  # it never comes on the network
BROKEN = "broken"  # every download fails


@dataclass(frozen=True)
class Ways:
    """Shares of all devices, and seconds. latency: before each answer, on average · offline: share of the time that a device
    is not there, in spells of `spell_s` on average."""

    bad: float = 0.0
    crash: float = 0.0
    broken: float = 0.0
    latency_s: float = 0.05
    offline: float = 0.0
    spell_s: float = 60.0
    seed: str = ""

    def share_out(self, uuids: list[str]) -> dict[str, str]:
        """Device -> its way. The shares are exact, and the same devices each time."""
        mixed = sorted(uuids, key=lambda uuid: hashlib.sha256(f"{self.seed}/{uuid}".encode()).digest())
        ways: dict[str, str] = dict.fromkeys(mixed, GOOD)
        position = 0
        for way, share in ((BAD, self.bad), (CRASH, self.crash), (BROKEN, self.broken)):
            upto = min(len(mixed), position + round(share * len(mixed)))
            ways |= dict.fromkeys(mixed[position:upto], way)
            position = upto
        return ways


@dataclass
class Luck:
    """Times drawn for one device."""

    ways: Ways
    draw: random.Random = field(default_factory=random.Random)

    def latency(self) -> float:
        return self.draw.expovariate(1 / self.ways.latency_s) if self.ways.latency_s else 0.0

    def online(self) -> float | None:
        """Seconds until the next spell, None where there are none."""
        share = self.ways.offline
        return self.draw.expovariate(share / ((1 - share) * self.ways.spell_s)) if 0 < share < 1 else None

    def spell(self) -> float:
        return self.draw.expovariate(1 / self.ways.spell_s)
