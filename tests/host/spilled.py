"""The private keys and passphrases that this process has made or read, and where one of them is written that it should not be."""

import base64
import contextlib
import os
from collections.abc import Iterator
from typing import Any

from srup_host import keyfiles

PEM = "PRIVATE KEY-----"
_secrets: dict[str, str] = {}  # as it may be written: what it is


def know(secret: bytes, what: str) -> None:
    """From now on this is looked for: as text, in hex, in base64."""
    if len(secret) < 8:
        return
    _secrets[secret.hex()] = what
    for text in (base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
        _secrets[text.decode().rstrip("=")] = what
    with contextlib.suppress(UnicodeDecodeError):
        _secrets[secret.decode()] = what


def found_in(text: str) -> list[str]:
    """What of it is written there."""
    passphrase = os.environ.get("SRUP_PASSPHRASE", "")
    if len(passphrase) >= 8:
        know(passphrase.encode(), "SRUP_PASSPHRASE")
    small = text.lower()
    known = [what for secret, what in _secrets.items() if secret in text or (len(secret) == 64 and secret in small)]
    return sorted({*known, *(["a private key in PEM"] if PEM in text else [])})


@contextlib.contextmanager
def watching() -> Iterator[None]:
    """Until it ends, every key that is generated or read is known."""
    generate, load = keyfiles.generate, keyfiles.load_private

    def known(key: Any) -> Any:
        know(key.private_numbers().private_value.to_bytes(32, "big"), "a private key")
        return key

    keyfiles.generate = lambda: known(generate())
    keyfiles.load_private = lambda path: known(load(path))
    try:
        yield
    finally:
        keyfiles.generate, keyfiles.load_private = generate, load
