"""The Debian mirror that this machine already uses, read from apt's own sources. SRUP_DEBIAN_MIRROR overrides it."""

import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from steps import Failed

HELP = "set SRUP_DEBIAN_MIRROR to the address of a Debian mirror (the folder that holds dists/ and pool/)"
RELEASES = re.compile(r"(bullseye|bookworm|trixie|forky|sid|oldstable|stable|testing|unstable)(-updates)?")


def address() -> str:
    """Address of the main Debian archive, without a trailing slash. Raises Failed on a machine that has none."""
    # Other vendors name their suites after Debian's, so the conventional folder name goes first.
    found = sorted(_apt_sources(Path("/etc/apt")), key=lambda uri: not uri.rstrip("/").endswith("/debian"))
    chosen = os.environ.get("SRUP_DEBIAN_MIRROR") or next(iter(found), None)
    if not chosen:
        raise Failed(f"no Debian mirror among this machine's apt sources; {HELP}")
    return chosen.rstrip("/")


def get(path: str) -> bytes | None:
    """The file at this path of the mirror, or None where the mirror does not have it. Raises Failed."""
    mirror = address()
    try:
        with urllib.request.urlopen(f"{mirror}/{path}", timeout=60) as response:  # noqa: S310 - the hash decides
            return response.read()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise Failed(f"the Debian mirror {mirror} answered {error.code}; try again later, or {HELP}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise Failed(f"can't reach the Debian mirror {mirror} ({reason}); check the network, or {HELP}") from None


def _apt_sources(apt: Path) -> Iterator[str]:
    parts = apt / "sources.list.d"
    for path in [apt / "sources.list", *sorted(parts.glob("*.list"))]:
        if path.is_file():
            yield from _one_line_entries(path.read_text())
    for path in sorted(parts.glob("*.sources")):
        yield from _deb822_entries(path.read_text())


def _one_line_entries(text: str) -> Iterator[str]:
    for uri, suite, components in re.findall(r"^\s*deb\s+(?:\[.*?\]\s*)?(\S+)\s+(\S+)\s+(.*)$", text, re.MULTILINE):
        if _is_main_archive(uri, [suite], components.split()):
            yield uri


def _deb822_entries(text: str) -> Iterator[str]:
    for stanza in re.split(r"\n\s*\n", text):
        found = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
        fields = {name: value.split() for name, value in found.items()}
        if "deb" in fields.get("Types", []) and fields.get("Enabled") != ["no"]:
            for uri in fields.get("URIs", []):
                if _is_main_archive(uri, fields.get("Suites", []), fields.get("Components", [])):
                    yield uri


def _is_main_archive(uri: str, suites: list[str], components: list[str]) -> bool:
    return uri.startswith("http") and "main" in components and any(map(RELEASES.fullmatch, suites))
