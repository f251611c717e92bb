"""All that knows which machine this is. The rest of the package says `from srup import port` and uses

    BOARD                 the board's name in manifests: RPI_PICO_W, ESP32_GENERIC_S3, UNIX; CPYTHON for the host tools
    ticks_ms ticks_diff ticks_add    time since some start, in milliseconds, wrapping round: compare with ticks_diff, or
    within(ms, since)     True until so long after ticks `since`; False ever after, however many days that is
    sleep_ms(ms)          an awaitable, to be awaited at once
    now_ms()              the clock, milliseconds since 1970
    set_clock(ms, known=False)       give it a date; known: it is the true time, so that
    LATEST                the last time, in such milliseconds, that the board's clock can show: 2038, or 2068 on an ESP32
    clock_is_set()        it has been true time since the board started: never on the word of a floor
    random(n)             n random bytes. Raises StuckRandom
    unique_id()           bytes that this board has and no other
    sha256(data=b"")      a hash object: update(data), digest() once
    network_start(wifi, ppp=None)    begin to connect; returns at once. wifi: [{"ssid": ..., "password": ...}], in order of
                          preference; ppp: the UART of a PPP link, which then is the network: {"uart": 0, "tx": 0, "rx": 1,
                          "baudrate": ...} and what else machine.UART takes (RP2040 and RP2350, firmware with network.PPP)
    network_up()          True while connected; keeps trying while not, and so is to be called often
    network_stop()        the radio, or the PPP link, off, until network_start again
    tls_wrap(sock, hostname, authorities)    a TLS client on a connected, non-blocking socket; see below
    tls_closed()          one that it made has been closed
    tls_keep() tls_lend() tls_back()    the memory of a TLS connection: from now on nothing else gets it, where TLS shares the heap with all
                          else; but whoever needs much for a moment; who has given it up
    tls_error(error)      True if what a stream raised says that the peer can't be trusted: False for a network fault
    poll_target(stream)   what to give select.poll for it. Read until None before polling: TLS holds bytes back
    reset() arm(seconds) watch() reset_cause()     of srup_boot.hw, there `cause`
    light_sleep(ms)       returns after so long, a minute at most: memory and clock go on, all else stops
    beacon(on, pin=None)  blink the board's LED, twice a second, or stop that. pin: of the LED, where the firmware names none. None
                          where there is nothing to blink with
    feed()                the agent is alive: called in each of its rounds
    free_memory()         bytes of heap left after a collection
    mpy()                 the .mpy format that loads here, as "6.3"; "" where none does
    micropython()         the version of MicroPython that runs, as (1, 25, 0)
    aes_ecb(key)          encrypt(data, into): AES-256 of whole blocks, each for itself, which is for CTR to build on
    inflate(file, window) a stream, readinto(buffer), of what a file holds as raw deflate (RFC 1951) with a window of 2 ** window
                          bytes. Never reads the file beyond that. Raises EOFError where it ends too early, OSError(EINVAL) for
                          what is no deflate, or asks for a larger window

tls_wrap: authorities are DER certificates ([bytes]); the peer must show a chain to one of them, be named `hostname` and in
its time. TLS 1.2 or newer. The handshake comes with the first write or read. The stream has read, readinto, write (each
returns None where it would block, 0 or b"" at the end) and close; they raise OSError, and ValueError for a bad certificate.
"""

import sys

if sys.implementation.name != "micropython":
    from srup.port.cpython import *
elif sys.platform == "rp2":
    from srup.port.rp2 import *
elif sys.platform == "esp32":
    from srup.port.esp32 import *
else:
    from srup.port.unix import *


def within(ms, since):
    # On a board ticks_diff turns negative after six days.
    return 0 <= ticks_diff(ticks_ms(), since) < ms  # pyright: ignore[reportUnboundVariable] - of one of the above
