"""What is in a bundle, and what each file costs on the air: like `git show --stat`, or as JSON."""

import math
from typing import Any

from srup import records
from srup_host import console
from srup_host.bundle import Bundle

_BAR = 24


def as_json(path: str, shown: Bundle) -> dict[str, Any]:
    return {
        "bundle": path,
        "size": shown.size,
        "digest": shown.digest.hex(),
        "signature": shown.signature.hex(),
        "manifest": shown.manifest,
        "files": [{"path": name, "size": size, "sha256": digest} for digest, size, name in shown.listing()],
        "records": [
            {"op": record.word, "path": record.path, "count": record.count, "size": record.size, "cost": record.cost}
            for record in shown.records
        ],
    }


def show(path: str, shown: Bundle, full: Bundle | None = None) -> None:
    """full: the same version in full, to which a delta is compared."""
    manifest = shown.manifest
    console.say(f"{manifest['name']} {manifest['version']}", "bold")
    rows = [
        ("bundle", f"{path}, {console.size(shown.size)}"),
        ("digest", shown.digest.hex()),
        ("kind", manifest["kind"]),
        ("tree", manifest["tree"]),
        *([("firmware", f"{console.size(manifest['image_size'])}, {manifest['image']}")] if manifest["image"] else []),
        ("change to", manifest["base"] or "nothing: it stands alone"),
        ("boards", ", ".join(manifest["boards"]) or "any"),
        ("needs", _needs(manifest)),
        (".mpy", manifest["mpy"] or "none in it"),
        ("counter", manifest["counter"]),
    ]
    console.columns(rows, ("cyan",))
    if shown.records:
        console.say("")
        console.columns(_stat(shown), ("", "cyan", "", "green"))
    console.say(_sum(shown, full))


def _needs(manifest: dict[str, Any]) -> str:
    needs = [
        f"{name} {manifest[key]}" for key, name in (("micropython", "MicroPython"), ("agent", "agent")) if manifest[key]
    ]
    if manifest["window"]:
        needs.append(f"{2 ** manifest['window']:,} B of memory to decompress")
    return ", ".join(needs) or "nothing in particular"


def _stat(shown: Bundle) -> list[tuple[str, str, str, str]]:
    """(path, what becomes of it, bytes on the board and on the air, a bar) of each record."""
    most = max(record.cost for record in shown.records)
    rows = []
    for record in shown.records:
        if record.op == records.KEEP:
            more = f" and {record.count - 1} more" if record.count > 1 else ""
            size = ""
        else:
            more, size = "", f"{record.size:,} "
        bar = "+" * math.ceil(record.cost / most * min(_BAR, most))
        rows.append((f"{record.path}{more}", record.word, f"{size}-> {record.cost:,} B".rjust(20), bar))
    return rows


def _sum(shown: Bundle, full: Bundle | None) -> str:
    manifest, head = shown.manifest, shown.size - shown.manifest["body_size"]
    firmware = f"a firmware of {console.size(manifest['image_size'])} and " if manifest["image"] else ""
    counted = f"{firmware}{manifest['files']} file{'s' * (manifest['files'] != 1)}, {console.size(manifest['size'])}"
    told = f"{counted}; on the air {console.size(shown.size)}, of which {head:,} B manifest and signature"
    if full and full is not shown:
        return f"{told}: {shown.size / full.size:.1%} of it in full"
    return told
