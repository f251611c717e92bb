"""The fleet's private keys as the server signs with them: read when they are first needed, and anew when their file has changed."""

from pathlib import Path

from srup_host import keyfiles, signing
from srup_host.console import Failure
from srup_host.fleet import Fleet


class Keyring:
    """files: role -> where its private key is, if not where srup.toml says."""

    def __init__(self, fleet: Fleet, files: dict[str, Path] | None = None):
        self._fleet = fleet
        self._files = files or {}
        self._loaded: dict[str, tuple[object, signing.PrivateKey]] = {}

    def __getitem__(self, role: str) -> signing.PrivateKey:
        """The private key of `command` or `authority`. Raises Failure where it is not here, or is not the fleet's."""
        path = self._files.get(role) or self._fleet.key_path(role)
        try:
            now = path.stat()
        except OSError:
            raise Failure(f"the {role} key is not in {path}", "run this where it is kept") from None
        version = path, now.st_ino, now.st_mtime_ns, now.st_size
        known, key = self._loaded.get(role, (None, None))
        if key is None or known != version:
            key = keyfiles.load_private(path)
            if signing.public_bytes(key) != self._fleet.public_key(role):
                raise Failure(f"{path} is not the fleet's {role} key", f"that is the one of keys/{role}.pub.pem")
            self._loaded[role] = version, key
        return key
