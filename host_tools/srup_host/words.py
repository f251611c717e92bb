"""Six words that two people can compare: of the BIP-39 English list, 11 bits a word, of which a device's key has 66 (protocol.md, 6)."""

import functools
import hashlib
from pathlib import Path

from srup_host.console import Failure

_LIST = Path(__file__).with_name("bip39_english.txt")
# The list of https://github.com/bitcoin/bips/blob/master/bip-0039/english.txt; PyPI's `mnemonic` 0.21 has the same.
_SHA256 = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
_WORDS = 6
_LONGEST = 8


@functools.cache
def all_words() -> list[str]:
    data = _LIST.read_bytes()
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise Failure(f"{_LIST} is not the BIP-39 list", "install srup again")
    return data.decode().split()


def of(target: bytes, public_key: bytes) -> str:
    """The words of a device: its UUID, 16 bytes, and its public key, 65."""
    bits = int.from_bytes(hashlib.sha256(b"SRUP-join" + target + public_key).digest()[:9], "big") >> 6
    return " ".join(all_words()[bits >> 11 * nth & 0x7FF] for nth in reversed(range(_WORDS)))


def same(first: str, second: str) -> bool:
    """Spaces and capitals are no difference."""
    return first.lower().split() == second.lower().split()


def for_device() -> bytes:
    """The list as a device reads it, with no more than a seek: 8 bytes a word."""
    return b"".join(word.encode().ljust(_LONGEST) for word in all_words())
