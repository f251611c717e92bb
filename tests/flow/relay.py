"""A bad network between a board and its broker: a TCP relay that delays, splits and cuts, as a story tells it to.

In place of a network namespace with netem, which takes a module of the kernel that is not there everywhere, and rights.
"""

import select
import socket
import threading
import time
from contextlib import suppress
from typing import Self


class Relay:
    """From `port` to `target`. piece: bytes at a time; delay: seconds before each of them."""

    def __init__(self, target: int, piece: int = 4096, delay: float = 0.0):
        self.target = target
        self.piece = piece
        self.delay = delay
        self.connections = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Every connection ends, at once."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._relay, args=(near,), daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self.target)) as far:
            self._open += [near, far]
            while True:
                for source in select.select([near, far], [], [])[0]:
                    data = source.recv(self.piece)
                    if not data:
                        return
                    time.sleep(self.delay)
                    (far if source is near else near).sendall(data)
