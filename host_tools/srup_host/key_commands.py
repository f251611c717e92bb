"""`srup keys`: keys in files, for those that are kept offline."""

from pathlib import Path
from typing import Annotated

import typer

from srup.keys import key_id
from srup_host import console, files, keyfiles, signing
from srup_host.console import Failure

app = typer.Typer(no_args_is_help=True, help="Make and show keys in files: a release key belongs offline.")

PassphraseOption = Annotated[
    bool, typer.Option("--passphrase/--no-passphrase", help="Encrypt it, and ask for the passphrase.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def new(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where to: FILE, and FILE's name with .pub.pem.")],
    passphrase: PassphraseOption = True,
    json: JsonOption = False,
) -> None:
    """Make a P-256 key pair: the private key in FILE, for its owner alone to read, the public one beside it."""
    public = path.with_suffix(".pub.pem")
    if public.exists():
        raise Failure(f"{public} exists already", "it is not overwritten: move it away first")
    key = keyfiles.generate()
    asked = keyfiles.ask_passphrase(f"Passphrase of {path}", twice=True) if passphrase else None
    files.write_new(path, keyfiles.private_pem(key, asked), 0o600)
    files.write_new(public, keyfiles.public_pem(key))
    _print(str(public), signing.public_bytes(key), json)


@app.command()
def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help="PEM file, public or private, or hex.")],
    json: JsonOption = False,
) -> None:
    """Show a public key, as devices and `srup bundle verify --key` know it."""
    _print(key, keyfiles.load_public(key), json)


@app.command()
def passphrase(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A private key.")],
    passphrase: PassphraseOption = True,
) -> None:
    """Change the passphrase of a private key, or take it away. The new one comes from SRUP_NEW_PASSPHRASE, or is asked for."""
    key = keyfiles.load_private(path)
    asked = keyfiles.ask_passphrase(f"New passphrase of {path}", twice=True, prefix="SRUP_NEW_") if passphrase else None
    files.replace(path, keyfiles.private_pem(key, asked), 0o600)
    console.say(f"{path} {'has a new passphrase' if passphrase else 'has no passphrase any more'}", "green")


def _print(name: str, public: bytes, json: bool) -> None:
    if json:
        console.print_json({"key": name, "public": public.hex(), "id": key_id(public).hex()})
        return
    console.columns([("key", name), ("public", public.hex()), ("id", key_id(public).hex())], ("cyan",))
