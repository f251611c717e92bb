"""Room for TLS: a piece of the heap that nothing else gets.

mbedTLS takes 16.7 KB for a connection in one piece, and 4.4 KB in another. Where it shares the heap with everything else such a piece is
there once, when the board has started; and while there is no connection whatever comes next settles in it: then there is memory
enough, and no TLS. So it is taken before, given up for the connection, and taken again when that has ended: whole, or, where something
that stays has settled behind the larger buffer, what is left.
"""

import gc

# All of it, with MicroPython's object for the connection; what is left without that, without the smaller buffer. The last is the larger
# buffer to the byte: MBEDTLS_SSL_IN_BUFFER_LEN (16,717) and the 12 of MicroPython's list of such pieces, in blocks of 16.
SIZES = (22_528, 21_200, 17_600, 16_736)


class Room:
    def __init__(self):
        self._kept = False
        self._block = None
        self._users = 0  # connections

    def keep(self):
        """From now on."""
        self._kept = True
        self.back()

    def lend(self):
        """To whoever needs much at once, and is gone again soon."""
        self._block = None
        gc.collect()

    def back(self):
        """Take it again, where no connection has it. If it is not to be had, so be it: TLS will tell."""
        if self._kept and not self._users and self._block is None:
            for size in SIZES:
                try:
                    self._block = bytearray(size)
                    return
                except MemoryError:
                    pass

    def opened(self):
        """There will be a connection, which `lend` is for."""
        self._users += 1

    def closed(self):
        """One is over, or has come to nothing."""
        self._users -= 1
        self.back()
