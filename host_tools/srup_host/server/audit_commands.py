"""`srup audit`: the audit log, taken out and proven."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from srup.keys import key_id
from srup_host import console, files, keyfiles, rotation
from srup_host.console import REFUSED, Failure
from srup_host.fleet import ROLES, Fleet, FleetOption, find
from srup_host.server import audit, audit_verify
from srup_host.server.c2 import C2

app = typer.Typer(no_args_is_help=True, help="The audit log: who did what, with the signed frames that show it.")


@app.command()
def export(fleet_dir: FleetOption = None) -> None:
    """Write the whole log to stdout as JSON Lines, a signed head at its end."""
    c2 = C2(Fleet.open(fleet_dir))
    head = _sign(c2)
    with c2.read() as session:
        for line in audit.export(session, head):
            sys.stdout.write(line)
    c2.close()


@app.command()
def head(fleet_dir: FleetOption = None) -> None:
    """Number and hash of the newest line, signed. Keep it where the server can't reach it: srup audit verify --head."""
    c2 = C2(Fleet.open(fleet_dir))
    sys.stdout.write(_sign(c2) + "\n")
    c2.close()


@app.command()
def heads(
    most: Annotated[int, typer.Option("--most", min=1, max=2**53, help="So many of the newest.")] = 10_000,
    fleet_dir: FleetOption = None,
) -> None:
    """The heads that the server has signed, one an hour: JSON Lines, the newest last. For srup audit verify --head."""
    c2 = C2(Fleet.open(fleet_dir))
    with c2.read() as session:
        signed = [one.head for one in audit.heads(session, most)]
    c2.close()
    sys.stdout.writelines(f"{head}\n" for head in reversed(signed))


def _sign(c2: C2) -> str:
    with c2.write() as session:
        signed = audit.sign_head(session, c2.audit_key, c2.now())
    if signed is None:
        raise Failure("there is no line in the audit log yet")
    return signed


@app.command()
def verify(
    log: Annotated[Path, typer.Argument(metavar="FILE", help="An export.")],
    head: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A head from before, or several: shows a tail cut off, or a log written anew."
        ),
    ] = None,
    key: Annotated[
        str, typer.Option(metavar="KEY", help="The audit key: PEM file or hex.", show_default="the fleet's")
    ] = "",
    command_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY", help="A command key that the fleet has, or had; again for each.", show_default="the fleet's"
        ),
    ] = None,
    authority_key: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="The same of authority keys.", show_default="the fleet's")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one line of JSON.")] = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Prove an export, offline: that no line was removed, changed or moved, and that its frames are signed by whom it says.

    Exit code 1 if that is not so.
    """
    fleet = find(fleet_dir)
    if not key and not fleet:
        raise Failure("whose log is it?", "name the audit key with --key, or the fleet with --fleet")
    audit_key = keyfiles.load_public(key or str(fleet.directory / "keys" / "audit.pub.pem" if fleet else ""))
    by_hand = {"command": command_key or [], "authority": authority_key or []}
    given = {role: [keyfiles.load_public(one) for one in named] for role, named in by_hand.items() if named}
    kept = files.read(head).decode(errors="replace") if head else None
    with log.open(encoding="utf-8", errors="replace") as lines:
        shown = audit_verify.verify(lines, audit_key, (_every_key(fleet) if fleet else {}) | given, kept)
    on_its_word = [f"{role} {key_id(key).hex()}" for role, key in _not_given(shown, fleet, given)]
    facts = {"lines": len(shown.hashes), "frames": shown.frames, "devices": len(shown.keys), "head": shown.hashes[-1]}
    retired = _retired(shown, fleet) if fleet else []
    if as_json:
        console.print_json(facts | {"on_its_word": on_its_word, "retired": retired})
        return
    console.say(f"{facts['lines']} lines, {facts['frames']} signed frames: the log is whole", "bold green")
    if on_its_word:
        console.note(f"that these keys were the fleet's, the log alone says: {', '.join(on_its_word)}")
    if retired:
        console.note(
            f"of frames signed with keys that were retired since, the log alone says when: {', '.join(retired)}"
        )
    if not head:
        console.note("up to its end; that its end is the end, a head kept elsewhere shows: --head")


def _every_key(fleet: Fleet) -> dict[str, list[bytes]]:
    """Of each role the key that it has, and those that it had."""
    return {role: [fleet.public_key(role), *rotation.retired(fleet, role)] for role in ROLES}


def _retired(shown: audit_verify.Log, fleet: Fleet) -> list[str]:
    """Keys of the fleet by which frames are signed, and which it has no more: whoever took one along may have made such since."""
    found = sorted(shown.signed.items())
    return [f"{role} {key_id(key).hex()} ({count})" for (role, key), count in found if key != fleet.public_key(role)]


def _not_given(shown: audit_verify.Log, fleet: Fleet | None, by_hand: audit_verify.Given) -> list[tuple[str, bytes]]:
    """Keys that the log alone knows. Raises Failure where the fleet would have to know them."""
    found = shown.on_its_word()
    for role, key in found:
        if fleet and role not in by_hand:
            raise Failure(
                f"the audit log names a {role} key, {key_id(key).hex()}, that never was the fleet's", code=REFUSED
            )
    return found
