"""SRUP, the Secure Remote Update Protocol (Poulter, Johnston, Cox), for MicroPython.

The road of a message through the device, one module a step; data goes down this list and never up:

    transport  bytes from MQTT                          no parsing
    wire       bytes -> Unverified                      pure
    auth       Unverified -> Authenticated              the only caller of ECDSA verify
    replay     Authenticated -> Command                 recorded in flash before it returns
    update     (state, event) -> (state, effects)       pure
    download   HTTPS -> flash, SHA-256 as it streams    one preallocated buffer
    slots      unpack, read back, activate, confirm, revert
    reply      outcome -> signed RESPONSE, kept until acknowledged

`agent` joins them, and `port` is all that knows which board this is.
"""

__version__ = "0.1.0"
MADE = 1_788_220_800_000  # ms since 1970, when this version was: no clock that shows less is right
