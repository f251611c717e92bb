"""New settings, DATA `settings`: checked for their form and stored beside those that hold, to be tried.

The value is a JSON object with some of

    "wifi"     [{"ssid": ..., "password": ...}, ...], in order of preference
    "broker"   what changes of {"host": ..., "port": ..., "tls": ..., "user": ..., "password": ...}
    "https"    {"host": ..., "port": ...} of the server for polls, or null for none
    "allow"    ["host:port", ...] that bundles may be fetched from
    "ntp"      ["host", ...]
    "trial_s"  seconds that a trial lasts, 30 to 86,400
    "ca"       {"0"..."3": a CA certificate, DER in base64, or null for none}: two may be trusted at once

Whether they are any good is for the trial to show: a board that they cut off goes back to those that it had.
"""

import json
from binascii import a2b_base64

from srup import config, limits
from srup.errors import Refused, StorageError
from srup.status import DATA_UNKNOWN
from srup_boot.record import other_copy


def store(root, active, value):
    """Check `value` (bytes) and store what it makes of the settings that hold, `active` of the boot record, as the other copy.

    Raises Refused(DATA_UNKNOWN) for what is not of the form above, and StorageError.
    """
    changes = checked(value)
    values = config.changed(root, active)
    if "broker" in changes:
        changes["broker"] = _merged(values.get("broker", {}), changes["broker"])
    if "ca" in changes:
        changes["ca"] = _merged(values.get("ca", {}), changes["ca"])
    data = config.sealed(json.dumps(_merged(values, changes)).encode())
    if len(data) > limits.SETTINGS_FILE:
        raise _bad("too much")
    path = config.path(root, other_copy(active))
    try:
        with open(path, "wb") as file:
            file.write(data)
        with open(path, "rb") as file:
            if file.read(limits.SETTINGS_FILE) != data:
                raise StorageError("settings read back differently")
    except OSError as error:
        raise StorageError("settings: %s" % error)


def checked(value):
    """The changes, {name: value}. Raises Refused(DATA_UNKNOWN) for what is not of the form above."""
    try:
        changes = json.loads(value)
    except (ValueError, RuntimeError):  # RuntimeError: nested too deep
        raise _bad("no JSON")
    if not isinstance(changes, dict) or not changes:
        raise _bad("nothing in it")
    for name in changes:
        if name not in _FORMS or not _FORMS[name](changes[name]):
            raise _bad(name)
    return changes


def _merged(old, new):
    merged = dict(old)
    merged.update(new)
    return merged


def _bad(why):
    return Refused(DATA_UNKNOWN, "settings: %s" % why)  # to MicroPython a number may be a name, too


def _is_text(value):
    return isinstance(value, str) and 0 < len(value) <= 255


def _are_texts(value):
    return isinstance(value, list) and all(_is_text(item) for item in value)


def _are_networks(value):
    return isinstance(value, list) and all(
        isinstance(item, dict) and _is_text(item.get("ssid")) and isinstance(item.get("password", ""), str)
        for item in value
    )


def _is_broker(value):
    forms = {"host": _is_text, "port": _is_port, "tls": _is_flag, "user": _is_text, "password": _is_text}
    return isinstance(value, dict) and all(name in forms and forms[name](value[name]) for name in value)


def _is_server(value):
    return value is None or (
        isinstance(value, dict) and len(value) == 2 and _is_text(value.get("host")) and _is_port(value.get("port"))
    )


def _is_port(value):
    return type(value) is int and 0 < value < 65536


def _is_flag(value):
    return isinstance(value, bool)


def _is_trial(value):
    return type(value) is int and 30 <= value <= 86400


def _are_authorities(value):
    return isinstance(value, dict) and all(
        number in ("0", "1", "2", "3") and (der is None or _is_certificate(der)) for number, der in value.items()
    )


def _is_certificate(der):
    try:
        return isinstance(der, str) and a2b_base64(der)[:1] == b"\x30"  # an ASN.1 SEQUENCE; TLS judges the rest
    except ValueError:
        return False


_FORMS = {
    "wifi": _are_networks,
    "broker": _is_broker,
    "https": _is_server,
    "allow": _are_texts,
    "ntp": _are_texts,
    "trial_s": _is_trial,
    "ca": _are_authorities,
}
