"""When a roll-out goes on: its waves, the gates between them, how much may fail, how fast, and at what time of day. Pure.

Waves are given as their ends: a number of devices, or a percentage of all, each counting from the first device on. The first
wave, the canaries, is the one that is to show what is wrong with a release.
"""

import hashlib
import math
from datetime import UTC, datetime, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

Share = Annotated[float, Field(ge=0, le=1)]
OWN_ZONE = "device"


class Policy(BaseModel):
    """How a roll-out goes. Seconds where the name says `_s`."""

    model_config = ConfigDict(extra="forbid")

    waves: list[str] = Field(
        default=["5", "10%", "50%", "100%"], min_length=1, max_length=20, description="ends: devices, or per cent"
    )
    success: Share = Field(default=0.9, description="share of a wave that must be confirmed before the next begins")
    soak_s: int = Field(default=0, ge=0, le=30 * 86_400, description="and how long it must have been over")
    abort: Share = Field(
        default=0.1, description="abort when more than this share of the devices let go so far has failed"
    )
    rate: int = Field(default=0, ge=0, description="devices a minute that may begin; 0: as many as can")
    window: str = Field(
        default="", description="HH:MM-HH:MM, when devices may begin and be activated; may go over midnight"
    )
    zone: str = Field(
        default="device",
        max_length=64,
        description="time zone of the window: `device`, each device's own (UTC where it has none), or one for all, as in Europe/Paris",
    )
    activation: Literal["automatic", "approval", "time"] = "automatic"
    activate_at: int = Field(default=0, ge=0, description="with activation time: not before, ms since 1970")
    approval: bool = Field(default=False, description="begin only when an approver, who did not make it, says so")
    attempts: int = Field(default=3, ge=1, le=20, description="downloads tried on a device before it counts as failed")
    backoff_s: int = Field(
        default=60, ge=0, le=86_400, description="before the second try; each further one waits twice as long"
    )
    timeout_s: int = Field(default=3600, ge=1, le=30 * 86_400, description="for each answer of a device")
    quarantine_after: int = Field(default=3, ge=1, le=100, description="failures in a row, in any roll-out")
    deltas: bool = Field(default=True, description="send a delta where the server has one to what a device runs")
    seal: bool = Field(default=False, description="encrypt it anew for each device, for that one alone to read")
    dynamic: bool = Field(
        default=False, description="take in devices that come to match later; then it goes on until it is ended"
    )

    @field_validator("waves")
    @classmethod
    def _waves(cls, given: list[str]) -> list[str]:
        for end in given:
            number = end.removesuffix("%")
            if (
                not number.isascii()
                or not number.isdigit()
                or int(number) < 1
                or (end[-1] == "%" and int(number) > 100)
            ):
                raise ValueError(f"{end!r} is no end of a wave: a number of devices, or 1% to 100%")
        return given

    @field_validator("window")
    @classmethod
    def _window(cls, given: str) -> str:
        if given:
            _times(given)
        return given

    @field_validator("zone")
    @classmethod
    def _zone(cls, given: str) -> str:
        return given if given == OWN_ZONE else zone(given)

    def backoff_ms(self, attempts: int) -> int:
        """How long to wait after so many attempts."""
        return self.backoff_s * 1000 * 2 ** min(attempts - 1, 10)

    def in_window(self, now: int, of_device: str = "") -> bool:
        """now: ms since 1970 · of_device: its own time zone, "" where nobody has said."""
        if not self.window:
            return True
        start, end = _times(self.window)
        where = (of_device or "UTC") if self.zone == OWN_ZONE else self.zone
        local = datetime.fromtimestamp(now / 1000, UTC).astimezone(ZoneInfo(where)).time()
        return start <= local < end if start < end else local >= start or local < end

    @property
    def has_own_windows(self) -> bool:
        """Is it another time for devices elsewhere?"""
        return bool(self.window) and self.zone == OWN_ZONE


def zone(given: str) -> str:
    """The name of a time zone. Raises ValueError for what is none."""
    try:
        ZoneInfo(given)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{given!r} is no time zone") from None
    return given


def _times(window: str) -> tuple[time, time]:
    start, dash, end = window.partition("-")
    if not dash:
        raise ValueError(f"{window!r} is no window: HH:MM-HH:MM")
    return time.fromisoformat(start), time.fromisoformat(end)


def order(devices: list[str], name: str) -> list[str]:
    """Devices (UUIDs) in the order of a roll-out: mixed, so that its canaries are of all kinds, and always the same way."""
    return sorted(devices, key=lambda uuid: hashlib.sha256(f"{name}/{uuid}".encode()).digest())


def ends(policy: Policy, total: int) -> list[int]:
    """How many devices each wave goes up to; waves that would be empty are left out, and the last takes all the rest."""
    found: list[int] = []
    for end in policy.waves:
        number = int(end.removesuffix("%"))
        upto = min(total, math.ceil(total * number / 100) if end.endswith("%") else number)
        if upto > (found[-1] if found else 0):
            found.append(upto)
    if not found or found[-1] < total:
        found.append(total)
    return found


def wave_of(position: int, wave_ends: list[int]) -> int:
    """The wave, from 0, of the device at this position."""
    return next(wave for wave, end in enumerate(wave_ends) if position < end)


def breached(policy: Policy, let_go: int, failed: int) -> bool:
    """Has more failed than may? let_go: devices in the waves so far: what has not ended yet counts as good."""
    return failed > 0 and failed > policy.abort * let_go


def gate(policy: Policy, confirmed: int, failed: int, left_out: int, open_ones: int, over_for_ms: int) -> str:
    """May the wave after this one begin: "wait", "open", or "closed" (a person must look)?

    left_out: devices of the wave that nothing was tried with · open_ones: those that have not ended · over_for_ms: since the last did.
    """
    if open_ones:
        return "wait"
    ended = confirmed + failed
    if confirmed < policy.success * ended or (left_out and not ended):
        return "closed"
    return "open" if over_for_ms >= policy.soak_s * 1000 else "wait"
