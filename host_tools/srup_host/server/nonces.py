"""What a device has to show in its next poll, so that nothing is handed out to who only recorded one (protocol.md, section 5)."""

import hashlib
import hmac
import os
from collections.abc import Callable

FRESH_MS = 2 * 86_400_000  # longer than any device sleeps
_TAG = 16


class Nonces:
    """Fresh for two days, for one device, and remembered by nobody: ms since 1970, 6 bytes | HMAC-SHA-256 of uuid and these, 16.

    After a restart, and from one worker to the next, a device is asked to poll again. That a poll is not taken twice is the
    token's doing.
    """

    def __init__(self, now: Callable[[], int]):
        self._now = now
        self._secret = os.urandom(32)

    def make(self, uuid: str) -> bytes:
        return self._of(uuid, self._now().to_bytes(6, "big"))

    def is_fresh(self, uuid: str, nonce: bytes) -> bool:
        made = int.from_bytes(nonce[:6], "big")
        return hmac.compare_digest(nonce, self._of(uuid, nonce[:6])) and made > self._now() - FRESH_MS

    def _of(self, uuid: str, stamp: bytes) -> bytes:
        return stamp + hmac.digest(self._secret, uuid.encode() + stamp, hashlib.sha256)[:_TAG]
