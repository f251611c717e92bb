"""Every limit of the device, in one place: sizes in bytes, times in milliseconds unless the name says otherwise."""

try:
    from micropython import const  # pyright: ignore[reportAssignmentType]
except ImportError:  # CPython: the host tools and the tests import this package too

    def const(value):
        return value


# The frame and its elements (protocol.md, section 1)
FRAME = const(1024)
UUID = const(16)
TOKEN = const(16)
DIGEST = const(32)
SIGNATURE = const(64)
PUBLIC_KEY = const(65)
URL = const(512)
NAME = const(32)
VALUE = const(700)
PARAMETERS = const(192)
DESCRIPTION = const(128)
SETTINGS = const(700)
SETTINGS_FILE = const(4096)  # what they have become, with the CAs

# Trust
KEYS_PER_ROLE = const(4)
GROUPS = const(8)  # that a device is in
ASK_AGAIN = const(600_000)  # before whoever is to let us in is told again
BAD_SIGNATURES = const(10)  # after so many in a row, at most one verification each BAD_SIGNATURE_PAUSE
BAD_SIGNATURE_PAUSE = const(1000)

# Tokens and the clock (protocol.md, section 2 step 4), in milliseconds since 1970 or of duration
FRESH = const(7 * 86_400_000)
AHEAD = const(10 * 60_000)
AHEAD_UNSET = const(400 * 86_400_000)
OWN_TOKENS = const(600_000)  # of tokens of the device's own, for one record in flash
FLOOR_STEP = const(30 * 86_400_000)
ACTIVATE_WITHIN = const(7 * 86_400_000)
REFUSAL_PAUSE = const(60_000)  # refusals of step 4 are answered at most once in this time
TRANSACTIONS = const(8)  # latest transactions remembered with their last status
CLOCK_S = const(0x7FFFFFFF)  # since a port's epoch: beyond, MicroPython 1.25's time.gmtime raises OverflowError
NTP_PERIOD = const(86_400_000)
NTP_TIMEOUT = const(5000)
NTP_RETRY = const(16_000)  # no client may ask more often (RFC 4330, section 10); doubled with each failure
NTP_RETRY_MOST = const(3_600_000)
NTP_DOUBT = const(60_000)  # before the clock is asked about again where TLS failed on it, or a token

# The download
CHUNK = const(2048)  # the one preallocated buffer
HTTP_LINE = const(512)
HTTP_HEADERS = const(32)
CONNECT_TIMEOUT = const(20_000)
SYNC = const(16_384)  # bytes after which what was fetched survives a power cut
READ_TIMEOUT = const(15_000)
# What a server may take altogether, or one that drips would have a board that makes room for TLS deaf for months: half an hour, and a
# minute for each 4 KB. The slowest honest link, a modem at 9,600 baud, brings ten times as much.
PATIENCE = const(1_800_000)
PATIENCE_BYTE = const(15)
DOWNLOAD_ATTEMPTS = const(12)  # in a row without a byte of progress
RETRY_PAUSE = const(500)
RETRY_PAUSE_MOST = const(30_000)

# Bundles and slots
MANIFEST = const(2048)
PATH = const(96)
PATH_DEPTH = const(6)
FILES = const(256)
INDEX = const(16_384)
UNPACK = const(1024)  # the buffer: while a bundle is unpacked there is the least heap left
RECIPIENTS = const(32)  # of a sealed bundle
WINDOW = const(12)  # of deflate, as a power of two: 4 KB of heap while a bundle is unpacked

# Messages
SEND_BUFFER = const(4096)
KEEPALIVE_S = const(60)
TRANSPORT_TIMEOUT = const(20_000)  # a broker that owes an answer so long is gone
TOPIC = const(120)  # older umqtt writes the length of a SUBSCRIBE as one byte
OUTBOX = const(16)  # answers that wait to be sent
RESEND = const(20_000)
SPREAD_S = const(30)  # over which a group's members spread what they do and say when a frame has reached them all
RECONNECT_PAUSE = const(1000)
RECONNECT_PAUSE_MOST = const(60_000)

# Polling (protocol.md, section 5)
HEARTBEATS = const(3)  # missed, and the device tries its other transport
POLL_AGAIN = const(5_000)  # between polls while the device is awake
POLL_MESSAGE = const(2048)  # the longest frame in base64, and the names of its fields
POLL_MESSAGES = const(8)
POLL_BODY = const(8192)
POLL_QUEUE = const(4)  # frames that wait for the next connection
POLL_ANSWER = const(2_000)  # how long a connection waits for what the agent has to say to the last message

# Memory
ROOM = const(65_536)  # free with the road in memory: enough for P-256, and what obeys, and an update, all at once
LINGER = const(10_000)  # the road stays so long; also, after ten bad signatures a new start means at most one a second
STARVED = const(6)  # rounds in a row that fail for want of memory, a longer pause after each

# Low power
MAX_SLEEP_S = const(86_400)  # between two polls, where the board does not say otherwise
LISTEN = const(3000)  # so long after the last word from the broker it is taken for the last one
AWAKE = const(60_000)  # at most, while there is no connection
CONNECTED = const(600_000)  # at least, after CONNECT
NAP = const(60_000)  # sleep in one piece

# Self-test
HEAP_SOUND = const(16_384)  # less free, and the next command may find no memory

# Stopping and trial
STOP_HOOK_S = const(10)
DESTROY_S = const(30)  # SELF_DESTRUCT waits so long for its RESPONSE to be taken
REACHABLE = const(60_000)  # after each start the agent is on the network so long, whatever becomes of the application
TRIAL_BOOTS = const(3)
TRIAL_S = const(300)
TRIAL_RETRIES = const(3)
NOTE = const(120)  # signs of what the boot part found amiss, in the inventory
