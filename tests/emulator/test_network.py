"""MicroPython's own network on the emulated Pico: network.PPP over UART0, lwIP and mbedTLS, against servers of this machine."""

import contextlib
import datetime
import json
import random
import socket
import socketserver
import threading
from hashlib import sha256

import pytest

from tests.emulator.ppp import in_thread
from tests.flow.peer import Authority, Peer, serving
from tests.unit.on_micropython import ROOT

NAME = "broker.test"
NOW = 1_900_000_000.0  # in 2030: no clock of any board's own making
BIG = random.Random(2).randbytes(200_000)

# `ppp` and `uart` have to outlive this: their memory is the link.
CONNECT = """
import machine, network, time
uart = machine.UART(0, 3000000, rxbuf=4096, txbuf=4096)
ppp = network.PPP(uart)
ppp.connect()
for attempt in range(2000):
    if ppp.isconnected() and ppp.ifconfig()[0] != '0.0.0.0':
        break
    time.sleep_ms(5)
else:
    raise OSError('no link')
"""

ADDRESSES = """
import json, socket, struct
def look_up(name, port=0):
    try:
        return socket.getaddrinfo(name, port)[0][-1][0]
    except OSError as error:
        return error.errno
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(10)
sock.sendto(b'\\x1b' + bytes(47), socket.getaddrinfo('pool.ntp.org', 123)[0][-1])
seconds = struct.unpack('!I', sock.recv(48)[40:44])[0] - 2208988800
print(json.dumps([ppp.ifconfig(), look_up('broker.test'), look_up('elsewhere.test'), seconds]))
"""

# Sizes on both sides of a segment's 800 bytes; then the board ends first.
ECHO = """
import socket
sock = socket.socket()
sock.connect(socket.getaddrinfo('broker.test', {port})[0][-1])
for size in (1, 799, 800, 801, 3000):
    sent = bytes(index * 7 & 255 for index in range(size))
    sock.write(sent)
    print(sock.read(size) == sent)
sock.close()
"""

DOWNLOAD = """
import hashlib, socket, time, tls
machine.RTC().datetime(({date}, 0))
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(bytes.fromhex('{authority}'))
sock = socket.socket()
sock.connect(socket.getaddrinfo('broker.test', {port})[0][-1])
sock = context.wrap_socket(sock, server_hostname='broker.test')
sock.write(b'GET / HTTP/1.1\\r\\n\\r\\n')
while sock.readline() != b'\\r\\n':
    pass
hash, buffer, size = hashlib.sha256(), bytearray(1024), 0
while True:
    count = sock.readinto(buffer)
    if not count:
        break
    hash.update(memoryview(buffer)[:count])
    size += count
    if size > {reset_after}:
        machine.reset()
print(size, hash.digest().hex())
"""


# The agent's own way to the network (firmware/srup/port), on the board's UART.
PPP = """
{module}
import machine, network
link = Ppp(network.PPP(machine.UART(0, 3000000, rxbuf=4096, txbuf=4096)))
def until(up):
    while link.up() != up:
        time.sleep_ms(50)
    print(up, link._link.ifconfig()[0])
"""


@contextlib.contextmanager
def network(board):
    """Something at the other end of its UART."""
    line = socket.socket(socket.AF_UNIX)
    line.connect(str(board.uart))
    with in_thread(line, names={NAME, "pool.ntp.org"}, clock=lambda: NOW) as link:
        yield link


@pytest.fixture
def plugged_in(board):
    """The board, with a network at its UART."""
    with network(board) as board.link:
        yield board


@pytest.fixture
def https(tmp_path):
    authority = Authority(tmp_path)
    with Peer(authority.context(NAME), serving(BIG)) as peer:
        yield authority, peer


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)


@contextlib.contextmanager
def echoing():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def run(board, *scripts, follow=True):
    wait = [] if follow else ["--no-follow"]
    return board.mpremote("exec", *wait, "".join(scripts), timeout=120)


def test_addresses_names_and_time(plugged_in):
    config, known, unknown, seconds = json.loads(run(plugged_in, CONNECT, ADDRESSES))
    assert config == ["10.64.0.2", "255.255.255.255", "10.64.0.1", "10.64.0.1"]
    assert (known, unknown) == ("10.64.0.1", -2)
    assert seconds == NOW


def test_bytes_there_and_back(plugged_in):
    with echoing() as port:
        assert run(plugged_in, CONNECT, ECHO.format(port=port)).split() == ["True"] * 5


def download(https, reset_after=1_000_000):
    authority, peer = https
    date = datetime.datetime.now(datetime.UTC).strftime("%Y, %-m, %-d, 0, %-H, %-M, %-S")
    return DOWNLOAD.format(date=date, authority=authority.der.hex(), port=peer.port, reset_after=reset_after)


def test_a_download_over_tls_is_exact(plugged_in, https):
    size, digest = run(plugged_in, CONNECT, download(https)).split()
    assert (int(size), digest) == (len(BIG), sha256(BIG).hexdigest())
    assert plugged_in.link.traffic.dropped == 0


def test_the_link_outlives_resets_of_the_board(plugged_in, https):
    """A hard one in the middle of a download, then a soft one: each time the board only connects again."""
    run(plugged_in, CONNECT, download(https, reset_after=50_000), follow=False)
    plugged_in.wait_for("reset")
    for _ in range(2):
        size, digest = run(plugged_in, CONNECT, download(https)).split()
        assert (int(size), digest) == (len(BIG), sha256(BIG).hexdigest())


def test_a_peer_that_goes_without_a_word_is_missed_and_called_again(board):
    """It is missed by LCP's echoes, twenty seconds later."""
    module = (ROOT / "firmware/srup/port/_ppp.py").read_text()
    with network(board):
        assert run(board, PPP.format(module=module), "until(True)").split() == ["True", "10.64.0.2"]
    assert board.mpremote("resume", "exec", "until(False)", timeout=120).split() == ["False", "0.0.0.0"]
    with network(board):
        assert board.mpremote("resume", "exec", "until(True)", timeout=120).split() == ["True", "10.64.0.2"]
        board.mpremote("resume", "exec", "link.close()")
        assert board.mpremote("resume", "exec", "print(link._link.status())").strip() == "0"
