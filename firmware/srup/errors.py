"""What can go wrong, by name. `reason` is the word under which the device counts it (inventory)."""


class SrupError(Exception):
    reason = "fault"


# Steps 1 to 3: the frame gets no answer, only a count.


class Malformed(SrupError):
    """Not a frame: lengths that do not add up, unknown version or type, an element of the wrong size."""

    reason = "malformed"


class WrongTarget(SrupError):
    """For another device, or for a group this one is not in."""

    reason = "target"


class Outside(SrupError):
    """This device is in no fleet, and obeys nobody."""

    reason = "outside"


class InvalidKey(SrupError):
    """Not a P-256 public key: wrong length or prefix, not on the curve; or a private key out of range."""

    reason = "key"


class BadSignature(SrupError):
    """No trusted key of a role that permits this type made this signature; or it is the high-S twin of one."""

    reason = "signature"


class Throttled(SrupError):
    """Too many bad signatures in a row: not verified now, and to be shown again."""

    reason = "throttled"


# Step 4 and later: answered with `status`.


class Refused(SrupError):
    """Authentic, and not acted on. `status` is the RESPONSE's (protocol.md, Status)."""

    reason = "refused"

    def __init__(self, status, why="", token=b""):
        super().__init__(why)
        self.status = status
        self.why = why
        self.token = token


class UpdateFailed(Refused):
    """The update could not be fetched, checked or stored; `status` says which."""

    reason = "update"


class Repeated(SrupError):
    """The transport delivered a frame again that is already on record: the same transaction, named by `token`."""

    reason = "repeated"

    def __init__(self, token):
        super().__init__("on record")
        self.token = token


# The machine and the network.


class NetworkError(SrupError):
    """The peer can't be reached, went away, or does not answer in time."""

    reason = "network"


class NoMemory(NetworkError):
    """There is none for a connection, or not in one piece."""

    reason = "memory"


class TlsError(NetworkError):
    """The peer can't be trusted: chain, name, date, or the handshake failed."""

    reason = "tls"


class HttpError(SrupError):
    """The peer answers, and what it says is no HTTP response that we can take."""

    reason = "http"


class StorageError(SrupError):
    """The flash would not take it, or reads back differently."""

    reason = "storage"


NO_ROOM = (MemoryError, RuntimeError)  # on the heap; on the stack, where calls are nested too deep
