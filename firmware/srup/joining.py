"""How a device leaves its fleet, and comes to one: DEREGISTER_COMMAND, JOIN_COMMAND, and what a person at the device asks for.

A device that has left obeys nobody. It asks to join by a person's hand alone, and then obeys one thing: a JOIN_COMMAND of a key
that it holds already. Highest tokens outlive all of it. In the store:

    "Q" -> LEFT, JOINING or RESIGNING (keys); nothing for a member          "V" -> the voucher to join with
"""

from srup import __version__, keys, port, second, status, transaction, wire
from srup.errors import BadSignature, Refused
from srup.limits import const

_JOIN_LABEL = b"SRUP-join"
_VOUCHER_LABEL = b"SRUP-voucher"
_WORDS = const(6)
_BITS = const(11)  # a word
_WORD = const(8)  # letters of the longest
_BLOCK = const(64)  # of SHA-256, for HMAC


def changes(road, command):
    """What DEREGISTER_COMMAND or JOIN_COMMAND changes in the store. Raises Refused."""
    if command.type == wire.JOIN_COMMAND:
        return _joined(road, command)
    try:
        nonce, proof = road.session.nonce(), command.element("second_signature")
        second.check(road.keys, road.config.device, nonce, command, 0, b"", proof)
    except BadSignature as error:
        raise Refused(status.DEREGISTER_FAIL, "two keys: %s" % error)
    return _leaving(road, keys.LEFT)


def _joined(road, command):
    if road.store.get(keys.MEMBERSHIP) != keys.JOINING or command.target != road.config.device:
        raise Refused(status.JOIN_REFUSED, "nobody here has asked to join")
    if command.element("settings"):
        raise Refused(status.JOIN_REFUSED, "settings are the authority's to give")
    return {keys.MEMBERSHIP: None, b"V": None}


def _leaving(road, state):
    """All is let go but the keys, and what each has used up: of its tokens for whichever target the highest."""
    if road.state() not in (transaction.IDLE, transaction.STAGED):
        raise Refused(status.DEREGISTER_FAIL, "an update is under way")
    store = road.store
    found = {keys.MEMBERSHIP: state, b"G": None, b"U": None}
    for entry, _ in store.items(b"J"):
        found[entry] = None
    for entry, token in store.items(b"T"):
        floor = b"F" + entry[1:9]
        found[floor] = max(found.get(floor) or store.get(floor) or b"", token)
        found[entry] = None
    return found


# By a person's hand


def ask(road, what, voucher):
    """what: "join" or "resign" · voucher: 16 bytes, or b"". In the store before anything is said, so that a cut changes nothing."""
    member = road.store.get(keys.MEMBERSHIP) is None
    try:
        if what == "resign" and member:
            road.store.put(_leaving(road, keys.RESIGNING))
        elif what == "join" and not member:
            road.store.put({keys.MEMBERSHIP: keys.JOINING, b"V": voucher or None})
        else:
            road.log("can't %s: it is %s member" % (what, "a" if member else "no"))
    except Refused as refusal:
        road.log("can't %s: %s" % (what, refusal))


def tell(road):
    """Queue what the server is to hear of it, signed anew each time."""
    device, state = road.config.device, road.store.get(keys.MEMBERSHIP)
    if state == keys.RESIGNING:
        elements = {"target": device, "token": _token(road)}
        road.reports.append((wire.RESIGN_REQUEST, elements, {keys.MEMBERSHIP: keys.LEFT}))
    elif state == keys.JOINING:
        public, about = road.keys.public_key(), "%s, agent %s" % (road.config.board, __version__)
        elements = {"target": device, "token": _token(road), "public_key": public, "description": about.encode()}
        road.reports.append((wire.JOIN_REQUEST, elements, {}))
        road.log("asks to join; the server must show these words: " + words(road.config.root, device, public))
        secret = road.store.get(b"V")
        if secret:
            token = _token(road)
            value = hmac(secret, _VOUCHER_LABEL + device + token + public)
            told = {"target": device, "token": token, "name": b"voucher", "value": value}
            road.reports.append((wire.DATA, told, {}))


def _token(road):
    return road.own(b"", b"")["token"]


def words(root, device, public_key):
    """Six words, of the list that the device was given (2,048 of 8 bytes each); as hex where it has none."""
    digest = port.sha256(_JOIN_LABEL + device + public_key).digest()
    bits = int.from_bytes(digest[:9], "big") >> 6  # 66 of them
    try:
        with open(root + "/words.bin", "rb") as file:
            found = []
            for nth in range(_WORDS):
                file.seek((bits >> _BITS * (_WORDS - 1 - nth) & 0x7FF) * _WORD)
                found.append(file.read(_WORD).decode().strip())
            return " ".join(found)
    except OSError:
        return "%017x" % bits


def hmac(key, message):
    """HMAC-SHA-256 (RFC 2104) with a key of at most 64 bytes."""
    key = key + bytes(_BLOCK - len(key))
    inner = port.sha256(bytes([octet ^ 0x36 for octet in key]) + message).digest()
    return port.sha256(bytes([octet ^ 0x5C for octet in key]) + inner).digest()
