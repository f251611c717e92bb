"""`srup bundle`: build, seal, show and verify what boards install."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from srup import bundle as reader
from srup import limits
from srup.errors import BadSignature
from srup_host import (
    bodies,
    bundle,
    bundle_report,
    console,
    files,
    fleet,
    images,
    keyfiles,
    recipe,
    sealing,
    signers,
    sources,
)
from srup_host.bundle import IMAGE, Bundle
from srup_host.console import REFUSED, Failure
from srup_host.fleet import Fleet, FleetOption
from srup_host.recipe import Recipe

app = typer.Typer(no_args_is_help=True, help="Build, seal, show and verify bundles: what boards install.")

BundleArgument = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .srup file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
FromOption = Annotated[
    Path | None, typer.Option("--from", metavar="OLD", help="The bundle that a delta is a change to, in full.")
]
_KINDS = ", ".join(reader.KINDS)


@app.command()
def build(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help=f"Directory of the application, with or without a {recipe.FILE}; or a firmware image."
        ),
    ],
    version: Annotated[str, typer.Option(metavar="VERSION", help="Version of the application.")] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The bundle to write.", show_default="NAME-VERSION.srup"),
    ] = None,
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
    kind: Annotated[str, typer.Option(metavar="KIND", help=f"What it is: {_KINDS}.", show_default="app")] = "",
    firmware: Annotated[
        Path | None,
        typer.Option(
            metavar="IMAGE",
            help="Make it a set: this ESP32 firmware and the application in DIR, which are switched and go back together.",
        ),
    ] = None,
    old: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="OLD",
            help="Write a delta to this older bundle, too, beside it; again for each further one.",
        ),
    ] = None,
    micropython: Annotated[str, typer.Option(metavar="VERSION", help="The oldest MicroPython that it runs with.")] = "",
    agent: Annotated[str, typer.Option(metavar="VERSION", help="The oldest agent that it runs with.")] = "",
    compile: Annotated[
        bool | None,
        typer.Option("--compile/--no-compile", help="Compile .py to .mpy with mpy-cross.", show_default="yes"),
    ] = None,
    window: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=limits.WINDOW,
            help="Deflate what is sent with a window of 2^N bytes, which the board needs to unpack it; 0: not at all.",
        ),
    ] = bodies.WINDOW,
    release_key: Annotated[
        str,
        typer.Option(
            metavar="PEM", help="The release key; for a signer's command, its public key.", show_default="the fleet's"
        ),
    ] = "",
    signer_command: Annotated[
        str,
        typer.Option(
            metavar="COMMAND",
            help="Have this command sign: 32 bytes of SHA-256 on its stdin, the signature (DER, or r and s) on its stdout.",
        ),
    ] = "",
    json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Build a bundle and sign it with the release key. The same input gives the same bytes."""
    if output and not output.name:
        raise Failure(f"{console.shortened(str(output))} is no file to write the bundle to", "as in -o kitchen.srup")
    wanted = _recipe(source, name, version, kind, board, micropython, agent, compile, firmware)
    home = fleet.find(fleet_dir)
    number = _counter(home, wanted.name, counter, raise_counter)
    bases = [bundle.read(path) for path in old or ()]
    contents, notes = _contents(wanted)
    image = _firmware(wanted.firmware, wanted.boards) if wanted.firmware else b""
    signer = signers.release(home, release_key, signer_command)
    output = output or Path(f"{wanted.name}-{wanted.version}.srup")
    built: list[tuple[Path, Bundle]] = []
    for base in (None, *bases):
        path = output.with_name(f"{output.stem}.from-{base.manifest['version']}{output.suffix}") if base else output
        packed = bundle.pack(
            contents,
            signer,
            name=wanted.name,
            version=wanted.version,
            counter=number,
            boards=wanted.boards,
            kind=wanted.kind,
            micropython=wanted.micropython,
            agent=wanted.agent,
            base=base,
            firmware=image,
            window=window,
        )
        built.append((path, bundle.write(path, packed, signer.public_key, base)))
    for note in notes:
        console.warn(note)
    if home:
        if number < (latest := home.counter(wanted.name)):
            console.warn(
                f"a board that has confirmed counter {latest} of {wanted.name} will refuse this one, with {number}"
            )
        home.record_counter(wanted.name, number)
    _print(built, json)


def _recipe(
    source: Path,
    name: str,
    version: str,
    kind: str,
    boards: Sequence[str] | None,
    micropython: str,
    agent: str,
    compile: bool | None,
    firmware: Path | None,
) -> Recipe:
    """What srup-bundle.toml says, but for what the command line says."""
    found = recipe.read(source)
    given = {"name": name, "version": version, "kind": kind, "boards": list(boards or ())}
    given |= {"micropython": micropython, "agent": agent, "firmware": firmware}
    found = replace(found, **{key: value for key, value in given.items() if value})
    place = source.resolve()
    own = place.name if place.is_dir() else place.stem  # a directory's name has no ending, whatever dots are in it
    found = replace(found, name=found.name or own, compile=found.compile if compile is None else compile)
    if not found.version:
        raise Failure("which version is it?", f"give --version, or version in {recipe.FILE}")
    if found.kind not in reader.KINDS:
        raise Failure(f"no such kind of bundle: {found.kind}", f"there are {_KINDS}")
    if found.firmware and found.kind == "app":
        found = replace(found, kind="set")
    if (found.kind == "set") != bool(found.firmware):
        raise Failure("a set is an application and a firmware", "name both: DIR --firmware micropython.bin")
    return found


def _firmware(path: Path, boards: list[str]) -> bytes:
    """An ESP32's image, looked at. Raises Failure."""
    image = files.read(path)
    images.check_firmware(str(path), image, boards)
    return image


def _contents(wanted: Recipe) -> tuple[dict[str, bytes], list[str]]:
    """(the files; of an image, {IMAGE: image}; what a person is to be told about them)"""
    if wanted.kind == "firmware":
        return {IMAGE: _firmware(wanted.source, wanted.boards)}, []
    if wanted.kind == "data" and wanted.source.is_file():
        return {wanted.source.name: files.read(wanted.source)}, []
    found = sources.collect(wanted.source, (recipe.FILE, *wanted.exclude))
    notes = [f"left out {path}" for path in found.skipped]
    compiling = wanted.kind != "data" if wanted.compile is None else wanted.compile
    contents = sources.compile_all(found.files) if compiling else found.files
    if wanted.kind != "data" and not contents.keys() & {"app.py", "app.mpy", "app/__init__.py", "app/__init__.mpy"}:
        notes.append("there is no app.py: a board that installs this has no application to start")
    return ({IMAGE: images.romfs(contents)} if wanted.kind == "romfs" else contents), notes


def _home(home: Fleet | None) -> Fleet:
    return home or Fleet.open()  # which says what is missing


def _counter(home: Fleet | None, name: str, counter: int | None, raised: bool) -> int:
    latest = home.counter(name) if home else 0
    if counter is not None and raised:
        raise Failure("--counter and --raise-counter exclude each other")
    if raised and not home:
        raise Failure("--raise-counter needs a fleet, where the latest counter is kept", "give --counter instead")
    return latest + raised if counter is None else counter


def _print(built: Sequence[tuple[Path, Bundle]], json: bool) -> None:
    """The bundle, and its deltas."""
    (path, full), *deltas = built
    if json:
        told = bundle_report.as_json(str(path), full)
        also = {"deltas": [bundle_report.as_json(str(path), delta) for path, delta in deltas]} if deltas else {}
        console.print_json(told | also)
        return
    bundle_report.show(str(path), full)
    for path, delta in deltas:
        console.say("")
        bundle_report.show(str(path), delta, full)


@app.command()
def seal(
    path: BundleArgument,
    to: Annotated[
        list[str],
        typer.Option(
            "--for", metavar="DEVICE", help="Name or UUID of a device, or its ECDH key; again for each further one."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The sealed bundle to write.")],
    fleet_dir: FleetOption = None,
) -> None:
    """Encrypt a bundle for certain devices, which alone can read it. It takes no release key: it is signed inside."""
    bundle.read(path)
    raw = files.read(path)
    files.replace(output, sealing.seal(raw, [_sealing_key(each, fleet_dir) for each in to]))
    console.say(f"{output} is sealed for {len(to)} device{'s' * (len(to) != 1)}", "green")


def _sealing_key(who: str, fleet_dir: Path | None) -> bytes:
    if Path(who).is_file() or len(who) == 2 * limits.PUBLIC_KEY:
        return keyfiles.load_public(who)
    return fleet.sealing_key(_home(fleet.find(fleet_dir)).device(who))


@app.command()
def show(path: BundleArgument, old: FromOption = None, json: JsonOption = False) -> None:
    """Show what is in a bundle. It is checked, but for who signed it: see `verify`."""
    raw = files.read(path)
    if sealing.is_sealed(raw):
        _show_sealed(path, raw, json)
    else:
        _print([(path, bundle.read(path, bundle.read(old) if old else None))], json)


def _show_sealed(path: Path, raw: bytes, json: bool) -> None:
    whom = sealing.recipients(raw)
    if json:
        console.print_json({"bundle": str(path), "size": len(raw), "sealed_for": whom})
        return
    console.say(
        f"{path}, {console.size(len(raw))}, is sealed: for the devices with these keys to read, and nobody else"
    )
    console.columns([(identity,) for identity in whom])


@app.command()
def verify(
    path: BundleArgument,
    key: Annotated[
        str, typer.Option(metavar="KEY", help="Release key: PEM file, or hex.", show_default="the fleet's")
    ] = "",
    old: FromOption = None,
    fleet_dir: FleetOption = None,
) -> None:
    """Check a bundle and its release signature: exit code 0 if it is good, 1 if it is not.

    What a delta makes is checked too, where --from says of what.
    """
    release_key = keyfiles.load_public(key) if key else _home(fleet.find(fleet_dir)).public_key("release")
    found = bundle.read(path, bundle.read(old) if old else None)
    try:
        found.verify(release_key)
    except BadSignature as error:
        raise Failure(f"{path} is not signed by this release key: {error}", code=REFUSED) from None
    unproven = " (what this delta makes: say --from)" if found.manifest["base"] and not found.files else ""
    named = f"{found.manifest['name']} {found.manifest['version']}"
    console.say(f"{path} is good: {named}, signed by the release key{unproven}", "green")
