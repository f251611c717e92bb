"""MicroPython runs this: fetch.py PORT PATH DIGEST ATTEMPTS MOST CUT < authorities, one DER in hex a line.

Prints `whole` and how many bytes, or the status that an UpdateFailed carries. CUT > 0: end the process, as a power cut does,
when so many bytes are in flash.
"""

import sys
from binascii import unhexlify

from srup import port, status
from srup.download import Download
from srup.errors import UpdateFailed

number, path, digest, attempts, most, cut = sys.argv[1:]
authorities = [unhexlify(line.strip()) for line in sys.stdin]
server = "localhost:" + number


def fetch():
    url = f"https://{server}/file".encode()
    download = Download(url, unhexlify(digest), path, authorities, [server], int(most), int(attempts))
    for _ in download.run():
        if int(cut) and download.done >= int(cut):
            port.reset()
    return download.done


try:
    print("whole", fetch())
except UpdateFailed as failure:
    print(status.name(failure.status), failure.why)
