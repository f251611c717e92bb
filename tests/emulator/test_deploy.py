"""Files onto a board over its serial port, with mpremote as a library, and what can go wrong with that."""

import random

import pytest

from srup_host import deploy, device_tree, provisioning
from srup_host.console import Failure

FILES = {
    "data/deep/down.bin": random.Random(5).randbytes(3000),
    "empty": b"",
    'it\'s "quoted".txt': b"text\n",
}

# What a worn flash does, done to the `open` that scripts at the prompt use.
WORN = """
def open(path, mode="r", original=open):
    file = original(path, mode)
    if mode != "wb":
        return file
    class Worn:
        def write(self, data):
            return file.write(bytes(len(data)))
        def close(self):
            file.close()
    return Worn()
"""


# A root of 16 KB.
SMALL = """
import vfs
class Ram:
    def __init__(self, count, size=512):
        self.size, self.data = size, memoryview(bytearray(count * size))
    def readblocks(self, block, buffer, at=0):
        at += block * self.size
        buffer[:] = self.data[at : at + len(buffer)]
    def writeblocks(self, block, buffer, at=0):
        at += block * self.size
        self.data[at : at + len(buffer)] = buffer
    def ioctl(self, op, argument):
        return {4: len(self.data) // self.size, 5: self.size, 6: 0}.get(op)
ram = Ram(32)
vfs.umount("/")
vfs.VfsLfs2.mkfs(ram)
vfs.mount(ram, "/")
"""


@pytest.fixture
def connection(board):
    with deploy.connected(board.port) as connection:
        yield connection


def test_files_arrive_and_what_is_there_is_not_sent_again(connection):
    told = []
    connection.put(FILES, lambda path, done, total: told.append((path, done, total)))
    assert told[-1] == (told[-1][0], 3005, 3005)
    assert {path for path, _, _ in told} == {"data/deep/down.bin", 'it\'s "quoted".txt'}
    assert connection.run("print(open('data/deep/down.bin', 'rb').read() == " + repr(FILES["data/deep/down.bin"]) + ")")
    told.clear()
    connection.put(FILES | {"new": b"x"}, lambda *step: told.append(step))
    assert told == [("new", 1, 1)]


def test_what_reads_back_differently_is_told(connection):
    connection.run(WORN)
    with pytest.raises(Failure, match=r"data/deep/down\.bin reads back differently"):
        connection.put(FILES)


def test_a_full_flash_is_told(connection):
    connection.run(SMALL)
    with pytest.raises(Failure, match="No space left|ENOSPC|28"):
        connection.put({"large": bytes(20_000)})


def test_what_a_script_dies_of_is_told(connection):
    with pytest.raises(Failure, match="ZeroDivisionError: divide by zero"):
        connection.run("1 / 0")


def test_where_no_board_answers_is_told(tmp_path):
    with pytest.raises(Failure, match=r"there is no port .*tty"), deploy.connected(f"{tmp_path}/tty"):
        pass


def test_a_board_makes_its_keys_once(connection):
    connection.put({path: data for path, data in device_tree.device_files().items() if path.startswith("lib/srup")})
    newcomer, kept = provisioning.make_keys(connection, "kitchen")
    assert (newcomer.board, newcomer.mpy, kept) == ("SRUP_RP2040", "6.3", False)
    assert len(newcomer.public_key) == 65
    assert provisioning.make_keys(connection, "kitchen") == (newcomer, True)
