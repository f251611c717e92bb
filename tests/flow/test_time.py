"""A board that starts without the time asks a server on this machine for it."""

import socketserver
import struct
import threading
import time
from pathlib import Path

from tests.flow.world import World

AHEAD = 2 * 86_400  # seconds that the server's time is ahead of this machine's: so one can tell them apart
TO_1970 = 2_208_988_800


class Ntp(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        question = self.rfile.read()
        now = int((time.time() + AHEAD + TO_1970) * 2**32)
        self.wfile.write(bytes((0x24, 1)) + bytes(22) + question[40:48] + struct.pack(">QQ", now, now))


def test_a_board_learns_the_time(tmp_path: Path) -> None:
    with socketserver.UDPServer(("127.0.0.1", 0), Ntp) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers = [f"127.0.0.1:{server.server_address[1]}"]
        with World(tmp_path, clock=False, settings={"ntp": servers}) as world:
            world.start()
            ahead = world.inventory()["clock"] / 1000 - time.time()
        server.shutdown()
    assert AHEAD - 60 < ahead < AHEAD + 60
