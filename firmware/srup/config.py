"""What the device was told when it was provisioned: /srup/config.json and the CA certificates beside it."""

import json

from srup.errors import StorageError
from srup.limits import DOWNLOAD_ATTEMPTS, TRIAL_S

_CAS = 4


class Config:
    """Settings by name. Raises StorageError where config.json is missing or is not what provisioning writes."""

    def __init__(self, root):
        try:
            with open(root + "/config.json") as file:
                values = json.load(file)
            self.uuid = values["uuid"]
            self.device = uuid_bytes(self.uuid)
            self.board = values["board"]
            self.broker = values["broker"]
            self.allow = values["allow"]
            self.provisioned = values["provisioned"]
        except (OSError, ValueError, KeyError) as error:
            raise StorageError("config.json: %s" % error)
        self.name = values.get("name", self.uuid)
        self.wifi = values.get("wifi", [])
        self.trial_s = values.get("trial_s", TRIAL_S)
        self.poll_ms = values.get("poll_ms", 20)
        self.download_attempts = values.get("download_attempts", DOWNLOAD_ATTEMPTS)
        self.authorities = _authorities(root)


def uuid_bytes(text):
    """The 16 bytes of a UUID as text."""
    digits = text.replace("-", "")
    if len(digits) != 32:
        raise ValueError("not a UUID: " + text)
    return bytes(int(digits[at : at + 2], 16) for at in range(0, 32, 2))


def _authorities(root):
    found = []
    for number in range(_CAS):
        try:
            with open("%s/ca%d.der" % (root, number), "rb") as file:
                found.append(file.read())
        except OSError:
            pass  # one or two are usual
    return found
