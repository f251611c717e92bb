"""MicroPython runs this: fetch.py PORT PATH DIGEST ATTEMPTS MOST CUT [PATIENCE] < authorities, one DER in hex a line.

Prints `whole` and how many bytes, or the status that an UpdateFailed carries. CUT > 0: end the process, as a power cut does,
when so many bytes are in flash. PATIENCE: milliseconds with a peer that says nothing, in place of those that a board has.
"""

import sys
from binascii import unhexlify

from srup import limits, port, status
from srup.download import Download
from srup.errors import UpdateFailed
from srup.incoming import Incoming

number, path, digest, attempts, most, cut = sys.argv[1:7]
if sys.argv[7:]:
    limits.CONNECT_TIMEOUT = limits.READ_TIMEOUT = int(sys.argv[7])
authorities = [unhexlify(line.strip()) for line in sys.stdin]
server = "localhost:" + number


def fetch():
    url = f"https://{server}/file".encode()
    into = Incoming(path, int(most))
    download = Download(url, unhexlify(digest), into, authorities, [server], int(attempts))
    for _ in download.run():
        if int(cut) and download.done >= int(cut):
            port.reset()
    return download.done


try:
    print("whole", fetch())
except UpdateFailed as failure:
    print(status.name(failure.status), failure.why)
