"""SRUP over HTTPS for devices that sleep (protocol.md, section 5): the frames of the broker's topics, as JSON.

A device shows a DATA `poll` that it has signed, with a nonce of ours that is fresh, and is handed what waits for it; what it hands
in goes the way of what comes by MQTT. In the order of what it costs us: the form, the nonce, whether there is such a device, and only
then the database and a signature. Anybody may ask here: who names no device of ours waits for no lock, and leaves no trace.
"""

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from srup import limits, wire, wire_json
from srup.errors import Malformed
from srup_host.fleet import is_uuid
from srup_host.receiving import Kind
from srup_host.server.asking import Here
from srup_host.server.errors import Missing
from srup_host.tables import Sent

_AROUND = 80  # bytes of an answer besides its messages


async def poll(c2: Here, device: str, request: Request) -> Response:
    """What waits for a device that shows a fresh, signed DATA `poll`; 401 and a nonce for any other."""
    _check_uuid(device)
    try:
        frame = wire_json.decode(await request.body())
        asked = wire.decode(frame).elements
    except Malformed as error:
        return _malformed(error)
    frames: list[bytes] | None = None
    if asked.get("name") == b"poll" and c2.nonces.is_fresh(device, asked["value"]) and c2.fleet.has(device):
        frames = await run_in_threadpool(_waiting, c2, device, frame)
    return polled(c2.nonces.make(device), frames)


async def messages(c2: Here, device: str, request: Request) -> Response:
    """A frame of a device, on record once this is answered; what becomes of it is not said: the device could do nothing about it."""
    _check_uuid(device)
    try:
        frame = wire_json.decode(await request.body())
    except Malformed as error:
        return _malformed(error)
    if c2.fleet.has(device):
        c2.hear(await run_in_threadpool(c2.ledger.received, device, frame, "https"))
    return Response(status_code=204)


def _check_uuid(device: str) -> None:
    """Raises Missing for what names no device here: its name, or its UUID in another form."""
    if not is_uuid(device):
        raise Missing("this is no device's UUID", "lower case, with hyphens")


def _waiting(c2: Here, device: str, frame: bytes) -> list[bytes] | None:
    """None for what is no poll of this device's."""
    event = c2.ledger.received(device, frame, "https")
    if event.kind is not Kind.POLL:
        return None
    return [sent.frame for sent in c2.ledger.unanswered(c2.fleet.device(device)) if not _expired(sent, c2.now())]


def _expired(sent: Sent, now: int) -> bool:
    return sent.at < now - limits.FRESH


def polled(nonce: bytes, frames: list[bytes] | None) -> Response:
    """As many messages as fit, the oldest first."""
    found: list[str] = []
    left = limits.POLL_BODY - _AROUND
    for message in map(wire_json.encode, (frames or [])[: limits.POLL_MESSAGES]):
        left -= len(message) + 1
        if left < 0:
            break
        found.append(message)
    body = f'{{"nonce":"{wire_json.base64url(nonce)}","messages":[{",".join(found)}]}}'
    return Response(body, 401 if frames is None else 200, media_type="application/json")


def _malformed(error: Malformed) -> Response:
    return JSONResponse({"error": f"not a frame: {error}", "hint": ""}, 400)
