"""A device for tests of the server's side: it signs what a test tells it, with the device package's own codec."""

import os

from srup import inventory, tokens, wire
from srup_host import credentials, keyfiles, signing

NOW = 1_800_000_000_000  # ms since 1970


class FakeDevice:
    """Enrolled in `fleet` under `name`. sealing_key: its public ECDH key, if it has made one · identity: a UUID chosen before."""

    def __init__(self, fleet, name="kitchen", sealing_key=b"", identity=None):
        self.key = keyfiles.generate()
        public = signing.public_bytes(self.key)
        self.device = fleet.add_device(
            name, "UNIX", public, identity=identity, provisioned=NOW, sealing_key=sealing_key
        )
        self.password = credentials.issue(fleet, self.device.uuid)
        self.uuid = self.device.uuid
        self._last = tokens.ZERO
        self.nonce = os.urandom(16)

    def token(self, ms=NOW):
        self._last = tokens.mint(ms, self._last, os.urandom(8))
        return self._last

    def response(self, token, status, key=None):
        return signing.sign_frame(key or self.key, wire.RESPONSE, {"token": token, "status": status})

    def data(self, name, value, token=None, target=None):
        elements = {"target": target or self.device.target, "token": token or self.token()}
        return signing.sign_frame(self.key, wire.DATA, elements | {"name": name.encode(), "value": value})

    def inventory(self, manifest=None, latest=(), trial=False, token=None):
        """manifest: of what runs · latest: {token: status}."""
        told = {"slot": "a" if manifest else "none", "trial": int(trial), "nonce": inventory.text(self.nonce)}
        if manifest:
            told["a"] = [manifest["name"], manifest["version"], 1, inventory.tree(manifest.get("tree", "00" * 32))]
        told["latest"] = {inventory.text(known): status for known, status in dict(latest).items()}
        return self.data("inventory", inventory.packed(told), token)
