"""What the device was told: config.json and ca0.der... when it was provisioned, and what DATA `settings` has changed since.

The changes are in settings0 or settings1, in turn; the boot record says which of them holds. Each is its CRC-32 in eight
hexadecimal digits and a JSON object. One that can't be read counts for nothing: what was provisioned then holds.
"""

import json
from binascii import a2b_base64, crc32

from srup.errors import StorageError
from srup.limits import DOWNLOAD_ATTEMPTS, MAX_SLEEP_S, SETTINGS_FILE, SPREAD_S, TRIAL_S

_CAS = 4


class Config:
    """Settings by name. copy: which changes hold, 0 or 1 (srup_boot.start.Choice, settings); any other number for none.

    Raises StorageError where config.json is missing or is not what provisioning writes.
    """

    def __init__(self, root, copy=255):
        self.root = root
        changes = changed(root, copy)
        try:
            with open(root + "/config.json") as file:
                values = json.load(file)
            broker = dict(values["broker"])
            broker.update(changes.get("broker", {}))
            values.update(changes)
            self.uuid = values["uuid"]
            self.device = uuid_bytes(self.uuid)
            self.board = values["board"]
            self.broker = broker
            self.allow = values["allow"]
            self.provisioned = values["provisioned"]
        except (OSError, ValueError, KeyError) as error:
            raise StorageError("config.json: %s" % error)
        self.name = values.get("name", self.uuid)
        self.https = values.get("https")  # {"host", "port"} of the server for polls, where there is one
        self.heartbeat_s = values.get("heartbeat_s", 86_400)  # the server says something at least so often
        self.wifi = values.get("wifi", [])
        self.ppp = values.get("network", {}).get("ppp")
        self.ntp = values.get("ntp", [])
        self.drop_mqtt = values.get("memory", {}).get("drop_mqtt", False)  # while a bundle is fetched
        self.tables_in_memory = values.get("memory", {}).get("tables", False)  # 33 KB for a faster ECDSA
        self.trial_s = values.get("trial_s", TRIAL_S)
        self.spread_s = values.get("spread_s", SPREAD_S)
        self.poll_ms = values.get("poll_ms", 20)
        self.download_attempts = values.get("download_attempts", DOWNLOAD_ATTEMPTS)
        self.policy = values.get("policy", {})  # {action: "allow", "refuse" or "two-keys"}, see srup.actions
        self.max_sleep = values.get("max_sleep", MAX_SLEEP_S)
        self.led = values.get("led")  # the pin that says "here I am", where the firmware does not know it
        self.authorities = _authorities(root, changes.get("ca", {}))


def uuid_bytes(text):
    """The 16 bytes of a UUID as text."""
    digits = text.replace("-", "")
    if len(digits) != 32:
        raise ValueError("not a UUID: " + text)
    return bytes(int(digits[at : at + 2], 16) for at in range(0, 32, 2))


def path(root, copy):
    return root + "/settings%d" % copy


def sealed(data):
    """Changes, as JSON bytes, as they are stored."""
    return b"%08x" % crc32(data) + data


def changed(root, copy):
    """{name: value} of what has changed since the device was provisioned."""
    if copy not in (0, 1):
        return {}
    try:
        with open(path(root, copy), "rb") as file:
            data = file.read(SETTINGS_FILE)
        return json.loads(data[8:]) if sealed(data[8:]) == data else {}
    except (OSError, ValueError):
        return {}


def _authorities(root, changes):
    """[DER] of the CAs. changes: {number as text: base64, or None for none any more}"""
    found = []
    for number in range(_CAS):
        if str(number) in changes:
            der = changes[str(number)]
            found += [a2b_base64(der)] if der else []
            continue
        try:
            with open("%s/ca%d.der" % (root, number), "rb") as file:
                found.append(file.read())
        except OSError:
            pass  # one or two are usual
    return found
