"""Which file to send a device, of those that make the same version: a delta to what it runs, or all of it.

`srup bundle build --from` writes deltas beside the full bundle: app.srup, app.from-1.0.srup, ...
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from srup import status
from srup_host import bundle, files, hosting, sealing
from srup_host.bundle import Bundle
from srup_host.console import Failure
from srup_host.fleet import Fleet

# What a device answers to a delta that it can't use: it runs something else, or what it runs is not what it was.
NOT_THIS_DELTA = frozenset((status.UPDATE_FAIL_BOARD, status.UPDATE_FAIL_STORAGE))
_MARK = ".from-"


@dataclass(frozen=True)
class Offer:
    path: Path
    bundle: Bundle

    @property
    def is_delta(self) -> bool:
        return bool(self.bundle.manifest["base"])

    def hosted(self, fleet: Fleet, sealed_for: bytes | None = None) -> tuple[str, bytes]:
        """(URL, SHA-256) of it on this server; sealed for the device with this ECDH key, where one is given."""
        raw = files.read(self.path)
        if sealed_for is None:
            return hosting.offer(fleet, self.path, self.bundle), self.bundle.digest
        return hosting.offer_bytes(fleet, sealing.seal(raw, [sealed_for]), self.bundle.manifest)


def choose(path: Path, running: str | None) -> list[Offer]:
    """What to offer, in this order: the file that was named, or a delta beside it if it is one to what the device runs; and the
    full bundle, if that was not it. running: the tree that the device's inventory names."""
    named = Offer(path, bundle.read(path))
    tree = named.bundle.manifest["tree"]
    if named.is_delta:
        full = [
            offer for offer in _beside(_full_of(path)) if not offer.is_delta and offer.bundle.manifest["tree"] == tree
        ]
        return [named, *full[:1]]
    fitting = [
        offer
        for offer in _beside(path.with_name(f"{path.stem}{_MARK}*{path.suffix}"))
        if offer.is_delta and (offer.bundle.manifest["tree"], offer.bundle.manifest["base"]) == (tree, running)
    ]
    return [*sorted(fitting, key=lambda offer: offer.bundle.size)[:1], named]


def _full_of(delta: Path) -> Path:
    return delta.with_name(delta.name.partition(_MARK)[0] + delta.suffix)


def _beside(pattern: Path) -> Iterator[Offer]:
    for path in sorted(pattern.parent.glob(pattern.name)):
        try:
            yield Offer(path, bundle.read(path))
        except Failure:
            pass  # nobody asked for this one
