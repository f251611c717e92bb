"""A device for tests of the server's side: it signs what a test tells it, with the device package's own codec."""

import json
import os

from srup import tokens, wire
from srup_host import credentials, keyfiles, signing

NOW = 1_800_000_000_000  # ms since 1970


class FakeDevice:
    """Enrolled in `fleet` under `name`."""

    def __init__(self, fleet, name="kitchen"):
        self.key = keyfiles.generate()
        self.device = fleet.add_device(name, "UNIX", signing.public_bytes(self.key), provisioned=NOW)
        self.password = credentials.issue(fleet, self.device.uuid)
        self.uuid = self.device.uuid
        self._last = tokens.ZERO

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
        told = {key: (manifest or {}).get(key) for key in ("name", "version", "tree")} | {"trial": trial}
        told["latest"] = {known.hex(): status for known, status in dict(latest).items()}
        return self.data("inventory", json.dumps(told).encode(), token)
