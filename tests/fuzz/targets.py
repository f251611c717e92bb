"""What is fuzzed. A target takes any bytes and breaks no invariant; all that it raises is a fault found.

`modules` are those of the shipped code whose coverage leads the fuzzer. The functions are in `frames`, `streams` and `files`, which
import them: so those are imported late, by whoever has arranged for the coverage to be measured.
"""

import hashlib
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Target:
    """home: the module of its function, `target_<name>`, and of its seeds, `seeds_<name>`"""

    name: str
    home: str
    modules: tuple[str, ...]
    longest: int = 1100

    def function(self) -> Callable[[bytes], None]:
        return self._of_home("target")

    def seeds(self) -> list[bytes]:
        return self._of_home("seeds")()

    def _of_home(self, kind: str):
        home = importlib.import_module(f"tests.fuzz.{self.home}")
        return getattr(home, f"{kind}_{self.name}")

    def fingerprint(self) -> str:
        """Of the code whose coverage leads the fuzzer."""
        found = [importlib.util.find_spec(module) for module in self.modules]
        sources = b"".join(Path(str(each.origin)).read_bytes() for each in found if each)
        return hashlib.sha256(sources).hexdigest()[:12]

    def corpus(self) -> list[bytes]:
        """What earlier runs have found worth keeping: an input in hex a line."""
        path = CORPUS / f"{self.name}.txt"
        return [bytes.fromhex(line) for line in path.read_text("ascii").splitlines()] if path.is_file() else []


TARGETS = (
    Target("wire", "frames", ("srup.wire",)),
    Target("json", "frames", ("srup.wire_json", "srup.wire"), 2048),
    Target("replay", "frames", ("srup.auth", "srup.replay", "srup.clock", "srup.keys", "srup.tokens"), 64),
    Target("inventory", "frames", ("srup_host.inventory",)),
    Target("http", "streams", ("srup.http", "srup.download"), 600),
    Target("mqtt", "streams", ("srup.transport",), 1400),
    Target("bundle", "files", ("srup.bundle", "srup.records"), 1400),
    Target("delta", "files", ("srup.records", "srup.patch"), 500),
    Target("boot_record", "files", ("srup_boot.record",), 160),
    Target("slot", "files", ("srup_boot.slot",), 2500),
)


def named(name: str) -> Target:
    return next(target for target in TARGETS if target.name == name)
