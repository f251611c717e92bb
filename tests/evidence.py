"""docs/evidence.md, of what the campaigns have found: `make evidence`.

A campaign leaves its figures in build/evidence. From there they go to docs/evidence.json, beside those of campaigns that were run
before, on whichever machine, until each is run again; the page shows all of them, with the commit of each.
"""

import json
import re
import subprocess
import sys
from typing import Any

from tests.fuzz import targets
from tests.unit.on_micropython import ROOT

PAGE = ROOT / "docs" / "evidence.md"
FIGURES = ROOT / "docs" / "evidence.json"
README = ROOT / "README.md"
HEADLINE = re.compile(r"\*\*[\d,]+ inputs of a fuzzer[^*]*\*\*")
KEPT = ROOT / "build" / "evidence"

HEAD = """# Evidence

What the campaigns have found, by their own figures. `make evidence` writes this page of what they leave in `build/evidence`, and of what
earlier ones left, which is kept in `evidence.json`; nothing here is written by hand. A commit with a `+` had changes beside it.

"""


def record(name: str, **told: Any) -> None:
    """A campaign has ended: its figures, with the commit."""
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(json.dumps(told | {"commit": commit()}, indent=1) + "\n", "utf-8")


def commit() -> str:
    """Short; with a + where files differ from it."""
    made = [
        subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
        for words in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    ]
    return made[0] + ("+" if made[1] else "")


def gathered() -> dict[str, Any]:
    """Name -> figures, of all campaigns; from now on in docs/evidence.json, too."""
    found = json.loads(FIGURES.read_text("utf-8")) if FIGURES.is_file() else {}
    new = {path.stem: json.loads(path.read_text("utf-8")) for path in KEPT.glob("*.json")}
    found |= {name: told for name, told in new.items() if not says_less(told, found.get(name))}
    FIGURES.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    return found


def says_less(told: dict[str, Any], before: dict[str, Any] | None) -> bool:
    """A shorter run of a fuzzer on the same code, which has found nothing either."""
    if not before or "executions" not in told or told["crashes"]:
        return False
    return told["code"] == before["code"] and told["executions"] <= before["executions"]


def fuzzing(found: dict[str, Any]) -> tuple[str, int, int]:
    """(the section, executions, crashes)"""
    rows, executions, crashes = [], 0, 0
    for target in targets.TARGETS:
        told = found.get(f"fuzz-{target.name}")
        if not told:
            rows.append(f"| {target.name} | missing: `make fuzz TARGET={target.name} RUNS=1000000` | | | | |")
            continue
        state = "" if told["code"] == target.fingerprint() else "the code has changed since"
        executions, crashes = executions + told["executions"], crashes + told["crashes"]
        figures = f"{told['executions']:,} | {told['crashes']} | {told['lines']} | {told['commit']}"
        rows.append(f"| {target.name} | {figures} | {state} |")
    table = "| target | executions | crashes | lines reached | commit | |\n|---|---|---|---|---|---|\n" + "\n".join(
        rows
    )
    return f"## Fuzzing\n\n{table}\n\nIn all: executions={executions:,} crashes={crashes}\n", executions, crashes


def soak(told: dict[str, Any] | None) -> tuple[str, str]:
    """(the section, what the headline says of it)"""
    if not told:
        return _missing("A bad link", "make nightly"), ""
    days = told["days"]
    hours, updates = round(sum(day["hours"] for day in days)), sum(day["updates"] for day in days)
    outages, cuts = sum(day["outages"] for day in days), sum(day["power_cuts"] for day in days)
    jumps = sum(day.get("clock_jumps", 0) for day in days)
    confirmed = sum(day["ends"].get("ACTIVATE_SUCCESS", 0) for day in days)
    said = (
        f"{hours} simulated hours at commit {told['commit']}: {updates} updates, {outages:,} outages, {cuts} power cuts, "
        f"{jumps} jumps of a clock; {confirmed} confirmed, {updates - confirmed} reported as failed (spoilt on purpose, or given up), {sum(day['open'] for day in days)} open."
    )
    return (
        f"## A bad link\n\n{said}\n",
        f"{updates} updates over {hours} simulated hours of a bad link, none of them lost",
    )


def line(title: str, told: dict[str, Any] | None, how: str) -> str:
    return f"## {title}\n\n`{told['line']}` at commit {told['commit']}\n" if told else _missing(title, how)


def _missing(title: str, how: str) -> str:
    return f"## {title}\n\nMissing: not run to its end here. `{how}`\n"


def power_cuts(told: dict[str, Any] | None) -> str:
    """What the headline says of them."""
    if not told:
        return ""
    said = dict(word.split("=") for word in told["line"].split())
    return f"{int(said['cuts']) + int(said['double']):,} power cuts, {said['bricks']} bricks"


def headline(executions: int, crashes: int, *others: str) -> str:
    fuzzed = f"{executions:,} inputs of a fuzzer, {crashes} crashes"
    return f"**{'; '.join(filter(None, (fuzzed, *others)))}.**"


def main() -> int:
    found = gathered()
    fuzz, executions, crashes = fuzzing(found)
    bad_link, day = soak(found.get("soak"))
    head = headline(executions, crashes, power_cuts(found.get("powercut")), day)
    sections = [
        fuzz,
        bad_link,
        line("Power cuts", found.get("powercut"), "make powercut"),
        line("Defences taken out", found.get("attack"), "make attack"),
        line("ECDSA against OpenSSL", found.get("crosschecks"), 'make test ARGS="-k p256_cross"'),
    ]
    PAGE.write_text(HEAD + head + "\n\n" + "\n".join(sections), "utf-8")
    readme = README.read_text("utf-8")
    README.write_text(HEADLINE.sub(lambda _: head, readme, count=1), "utf-8")
    print(PAGE.read_text("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
