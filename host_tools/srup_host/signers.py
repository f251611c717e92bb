"""Where the release key may be: in a file, or in what another program has, a hardware token for one.

The other program gets the SHA-256 to be signed, 32 bytes, on its standard input, and writes the ECDSA signature to its standard
output: in DER, or r and s, 32 bytes each. So this is one: `openssl pkeyutl -sign -inkey release.pem`.
"""

import hashlib
import shlex
import subprocess
from pathlib import Path

from srup_host import console, keyfiles, signing
from srup_host.console import Failure
from srup_host.fleet import Fleet

_WITHIN_S = 300  # somebody may have to find the token, and touch it


class CommandSigner:
    """A private key behind a command, split as a shell does. public_key: 65 bytes; the signature is held to it."""

    def __init__(self, command: str, public_key: bytes):
        """Raises Failure for what is no command."""
        try:
            self._command = shlex.split(command)
        except ValueError as error:
            raise Failure(
                f"the signer's command can't be read: {error}", f"it is {console.shortened(command)}"
            ) from None
        self.public_key = public_key
        if not self._command:
            raise Failure("the signer's command is empty")

    def sign(self, data: bytes) -> bytes:
        """Raises Failure where the command does, or what it writes is no signature."""
        digest = hashlib.sha256(data).digest()
        try:
            done = subprocess.run(self._command, input=digest, capture_output=True, check=False, timeout=_WITHIN_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(f"can't run the signer's command {self._command[0]}: {error}") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise Failure(f"the signer's command ended with exit code {done.returncode}: {said}")
        try:
            return signing.low_s(done.stdout if len(done.stdout) != 64 else signing.der(done.stdout))
        except ValueError:
            raise Failure(
                f"the signer's command wrote {len(done.stdout)} bytes that are no signature",
                "in DER, or r and s of 32 bytes each",
            ) from None


def release(home: Fleet | None, key: str, command: str) -> signing.Signer:
    """The release key's signer. key: a file, private, or public for a command; without one, the fleet's."""
    if command:
        public = keyfiles.load_public(key) if key else (home or Fleet.open()).public_key("release")
        return CommandSigner(command, public)
    private = keyfiles.load_private(Path(key)) if key else (home or Fleet.open()).private_key("release")
    return signing.KeySigner(private)
