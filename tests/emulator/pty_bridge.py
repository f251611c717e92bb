"""A pseudo-terminal for a program that can't open one: relays it to standard input and output, until the input ends.

The first line of output is the terminal's path; everything after it, both ways, is raw bytes. What the board prints
while nobody reads is kept up to BACKLOG bytes, then the oldest is dropped: a serial port would drop all of it.
"""

import os
import select
import tty

STDIN, STDOUT = 0, 1
BACKLOG = 1 << 20
CHUNK = 1 << 16


def main() -> None:
    master, slave = os.openpty()  # the slave stays open here, so programs may come and go
    tty.setraw(slave)
    os.set_blocking(master, False)
    write_all(STDOUT, os.ttyname(slave).encode() + b"\n")
    backlog = b""
    while True:
        readable, _, _ = select.select([STDIN, master], [master] if backlog else [], [])
        if master in readable:
            write_all(STDOUT, os.read(master, CHUNK))
        if STDIN in readable:
            data = os.read(STDIN, CHUNK)
            if not data:
                return
            backlog = (backlog + data)[-BACKLOG:]
        if backlog:
            backlog = backlog[write_some(master, backlog) :]


def write_some(fd: int, data: bytes) -> int:
    """Write what fits now; the number of bytes."""
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


if __name__ == "__main__":
    main()
