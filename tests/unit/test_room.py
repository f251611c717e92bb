"""Room for TLS in one piece, over a heap that is played."""

from srup.port import _room


class Heap:
    """`with Heap(most) as heap:` pieces of at most so many bytes are to be had; `taken` has their sizes."""

    def __init__(self, most=1 << 20):
        self.most = most
        self.taken = []

    def __enter__(self):
        _room.bytearray = self._take
        return self

    def __exit__(self, *_):
        _room.bytearray = bytearray

    def _take(self, size):
        if size > self.most:
            raise MemoryError()
        self.taken.append(size)
        return bytes(1)


def kept():
    room = _room.Room()
    room.keep()
    return room


def test_nothing_is_taken_where_nobody_asks_for_tls():
    with Heap() as heap:
        room = _room.Room()
        room.opened()
        room.closed()
        room.back()
        assert not heap.taken and room._block is None


def test_a_connection_has_it_and_then_it_is_taken_again():
    with Heap() as heap:
        room = kept()
        assert heap.taken == [_room.SIZES[0]] and room._block
        room.opened()
        assert room._block  # until the last moment before
        room.lend()
        assert room._block is None
        room.closed()
        assert heap.taken == [_room.SIZES[0]] * 2 and room._block


def test_it_is_taken_once_however_many_connections_there_were():
    with Heap() as heap:
        room = kept()
        room.opened()
        room.opened()
        room.lend()
        room.closed()
        assert room._block is None
        room.closed()
        room.back()
        assert len(heap.taken) == 2


def test_it_is_lent_and_comes_back_unless_a_connection_has_it():
    with Heap():
        room = kept()
        room.lend()
        assert room._block is None
        room.back()
        assert room._block
        room.opened()
        room.lend()
        room.back()
        assert room._block is None


def test_where_there_is_no_piece_for_all_of_it_one_for_the_larger_part_will_do_and_then_none():
    with Heap(_room.SIZES[-1]) as heap:
        room = kept()
        assert heap.taken == [_room.SIZES[-1]]
        room.opened()
        room.lend()
        heap.most = 1000
        room.closed()
        assert room._block is None
