"""`srup bundle`: build, show and verify what boards install."""

from pathlib import Path
from typing import Annotated

import typer

from srup.errors import BadSignature
from srup_host import bundle, console, fleet, keyfiles, signing, sources
from srup_host.bundle import Bundle
from srup_host.console import REFUSED, Failure
from srup_host.fleet import Fleet, FleetOption

app = typer.Typer(no_args_is_help=True, help="Build, show and verify bundles: what boards install.")

BundleArgument = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .srup file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def build(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="Directory with the application's files.")],
    version: Annotated[str, typer.Option(metavar="VERSION", help="Version of the application.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The bundle to write (.srup).")],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the application.", show_default="the directory's name")
    ] = "",
    counter: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Security counter: a board that has confirmed a higher one refuses this bundle.",
            show_default="that of the application's latest bundle",
        ),
    ] = None,
    raise_counter: Annotated[
        bool, typer.Option("--raise-counter", help="Take the next security counter: no way back to what came before.")
    ] = False,
    board: Annotated[
        list[str] | None,
        typer.Option(metavar="BOARD", help="Board that it is for; again for each further one.", show_default="any"),
    ] = None,
    compile: Annotated[bool, typer.Option(help="Compile .py to .mpy with mpy-cross.")] = True,
    release_key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The release key.", show_default="the fleet's")
    ] = None,
    json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Build a bundle and sign it with the release key. The same input gives the same bytes."""
    name = name or source.resolve().name
    home = fleet.find(fleet_dir)
    number = _counter(home, name, counter, raise_counter)
    key = keyfiles.load_private(release_key) if release_key else _home(home).private_key("release")
    found = sources.collect(source)
    contents = sources.compile_all(found.files) if compile else found.files
    packed = bundle.pack(contents, key, name=name, version=version, counter=number, boards=board or ())
    built = bundle.write(output, packed, signing.public_bytes(key))
    if home:
        if number < (latest := home.counter(name)):
            console.warn(f"a board that has confirmed counter {latest} of {name} will refuse this one, with {number}")
        home.record_counter(name, number)
    for path in found.skipped:
        console.warn(f"left out {path}")
    if not contents.keys() & {"app.py", "app.mpy", "app/__init__.py", "app/__init__.mpy"}:
        console.warn("there is no app.py: a board that installs this has no application to start")
    _print(output, built, json)


def _home(home: Fleet | None) -> Fleet:
    return home or Fleet.open()  # which says what is missing


def _counter(home: Fleet | None, name: str, counter: int | None, raised: bool) -> int:
    latest = home.counter(name) if home else 0
    if counter is not None and raised:
        raise Failure("--counter and --raise-counter exclude each other")
    if raised and not home:
        raise Failure("--raise-counter needs a fleet, where the latest counter is kept", "give --counter instead")
    return latest + raised if counter is None else counter


@app.command()
def show(path: BundleArgument, json: JsonOption = False) -> None:
    """Show what is in a bundle. It is checked, but for who signed it: see `verify`."""
    _print(path, bundle.read(path), json)


@app.command()
def verify(
    path: BundleArgument,
    key: Annotated[
        str, typer.Option(metavar="KEY", help="Release key: PEM file, or hex.", show_default="the fleet's")
    ] = "",
    fleet_dir: FleetOption = None,
) -> None:
    """Check a bundle and its release signature: exit code 0 if it is good, 1 if it is not."""
    release_key = keyfiles.load_public(key) if key else _home(fleet.find(fleet_dir)).public_key("release")
    found = bundle.read(path)
    try:
        found.verify(release_key)
    except BadSignature as error:
        raise Failure(f"{path} is not signed by this release key: {error}", code=REFUSED) from None
    console.say(
        f"{path} is good: {found.manifest['name']} {found.manifest['version']}, signed by the release key", "green"
    )


def _print(path: Path, shown: Bundle, json: bool) -> None:
    if json:
        listing = [{"path": name, "size": size, "sha256": digest} for digest, size, name in shown.listing()]
        console.print_json(
            {
                "bundle": str(path),
                "size": shown.size,
                "digest": shown.digest.hex(),
                "signature": shown.signature.hex(),
                "manifest": shown.manifest,
                "files": listing,
            }
        )
        return
    manifest = shown.manifest
    console.say(f"{manifest['name']} {manifest['version']}", "bold")
    rows = [
        ("bundle", f"{path}, {console.size(shown.size)}"),
        ("digest", shown.digest.hex()),
        ("boards", ", ".join(manifest["boards"]) or "any"),
        (".mpy", manifest["mpy"] or "none in it"),
        ("counter", manifest["counter"]),
        ("files", f"{manifest['files']}, {console.size(manifest['size'])}"),
    ]
    console.columns(rows, ("cyan",))
    console.columns(((digest[:16], f"{size:>9,}", name) for digest, size, name in shown.listing()), ("dim", "green"))
