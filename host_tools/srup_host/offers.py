"""Which file to send a device, of those that make the same version: a delta to what it runs, or all of it.

`srup bundle build --from` writes deltas beside the full bundle: app.srup, app.from-1.0.srup, ...
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        return bool(self.base)

    @property
    def base(self) -> str:
        """How the tree of what it is a change to begins; "" for none."""
        return str(self.bundle.manifest["base"])

    def hosted(self, fleet: Fleet, sealed_for: bytes | None = None) -> tuple[str, bytes]:
        """(URL, SHA-256) of it on this server; sealed for the device with this ECDH key, where one is given."""
        raw = files.read(self.path)
        if sealed_for is None:
            return hosting.offer(fleet, self.path, self.bundle), self.bundle.digest
        return hosting.offer_bytes(fleet, sealing.seal(raw, [sealed_for]), self.bundle.manifest)


def choose(path: Path, inventory: Mapping[str, Any]) -> list[Offer]:
    """What to offer, in this order: the file that was named, or a delta beside it if it is one to what the device has; and the
    full bundle, if that was not it. inventory: the device's last, {} for none."""
    named = Offer(path, bundle.read(path))
    running = tree(inventory, named.bundle.manifest["kind"])
    wanted = named.bundle.manifest["tree"]
    if named.is_delta:
        full = [
            offer for offer in _beside(_full_of(path)) if not offer.is_delta and offer.bundle.manifest["tree"] == wanted
        ]
        return [named, *full[:1]]
    fitting = [
        offer
        for offer in _beside(path.with_name(f"{path.stem}{_MARK}*{path.suffix}"))
        if offer.is_delta and running and offer.bundle.manifest["tree"] == wanted and running.startswith(offer.base)
    ]
    return [*sorted(fitting, key=lambda offer: offer.bundle.size)[:1], named]


def tree(inventory: Mapping[str, Any], kind: str) -> str:
    """Of what it has that a bundle of this kind would replace; "" where it has none, or has not said."""
    found = (inventory.get("data") or ["", "", ""])[2] if kind == "data" else inventory.get("tree")
    return found or ""


def _full_of(delta: Path) -> Path:
    return delta.with_name(delta.name.partition(_MARK)[0] + delta.suffix)


def _beside(pattern: Path) -> Iterator[Offer]:
    for path in sorted(pattern.parent.glob(pattern.name)):
        try:
            yield Offer(path, bundle.read(path))
        except Failure:
            pass  # nobody asked for this one
