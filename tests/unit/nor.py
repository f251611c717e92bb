"""NOR flash in RAM, as a block device of MicroPython's extended protocol, that can be made to fail.

Programming clears bits, by pages of 256 bytes; erasing sets those of a block: of 1,024 here, where a chip has 4,096, for the
sake of a board's heap.
"""

BLOCK = 1024
PAGE = 256


_ERASED = b"\xff" * PAGE


class Nor:
    """fault: called with (operation number, data) before each program (data: bytes) and erase (None); what it returns is
    programmed instead, and what it raises is what the flash does."""

    def __init__(self, blocks, fault=None):
        self._blocks = [bytearray(b"\xff" * BLOCK) for _ in range(blocks)]
        self.fault = fault
        self.operations = 0

    def readblocks(self, block, buffer, offset=0):
        buffer[:] = memoryview(self._blocks[block])[offset : offset + len(buffer)]

    def writeblocks(self, block, data, offset=None):
        if offset is None:
            self.ioctl(6, block)
            offset = 0
        if offset % PAGE or len(data) % PAGE or offset + len(data) > BLOCK:
            raise ValueError("not whole pages of one block")
        for at in range(0, len(data), PAGE):
            page = self._begin(bytes(data[at : at + PAGE]))
            target = self._blocks[block]
            if target[offset + at : offset + at + PAGE] == _ERASED:
                target[offset + at : offset + at + PAGE] = page
            else:
                for i in range(PAGE):
                    target[offset + at + i] &= page[i]

    def ioctl(self, operation, argument):
        if operation == 6:
            self._begin(None)
            self._blocks[argument] = bytearray(b"\xff" * BLOCK)
            return 0
        return {4: len(self._blocks), 5: BLOCK}.get(operation, 0)

    def flip(self, at, bit=0):
        """A bit of the byte at this offset."""
        self._blocks[at // BLOCK][at % BLOCK] ^= 1 << bit

    def _begin(self, data):
        self.operations += 1
        return self.fault(self.operations, data) if self.fault else data
