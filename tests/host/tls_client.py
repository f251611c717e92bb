"""`tls_client.py PORT NAME CA.der…`: GET from 127.0.0.1 through srup.port, for CPython and MicroPython.

Prints what came of it: `answer <bytes>`, `tls <error>` where the peer can't be trusted, `network <error>` otherwise.
"""

import select
import socket
import sys
import time

from srup import port


def connected(number):
    """A non-blocking socket, connected."""
    connection = socket.socket()
    connection.connect(socket.getaddrinfo("127.0.0.1", number)[0][-1])
    connection.setblocking(False)
    return connection


def get(connection, name, authorities):
    stream = port.tls_wrap(connection, name, authorities)
    poller = select.poll()
    poller.register(port.poll_target(stream), select.POLLIN | select.POLLOUT)
    request = b"GET / HTTP/1.0\r\n\r\n"
    while not stream.write(request):  # drives the handshake
        poller.poll(10)
        time.sleep(0.001)
    answer = b""
    buffer = bytearray(16)
    while True:
        size = stream.readinto(buffer)
        if size == 0:
            return answer
        if size is None:
            time.sleep(0.001)
        else:
            answer += buffer[:size]


number, name, *paths = sys.argv[1:]
authorities = []
for path in paths:
    with open(path, "rb") as file:
        authorities.append(file.read())
try:
    print("answer", get(connected(int(number)), name, authorities))
except (OSError, ValueError) as error:
    print("tls" if port.tls_error(error) else "network", repr(error))
