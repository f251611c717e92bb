"""The combs in use (see srup.p256_comb), wherever their rows are: in a file, in memory, in the firmware."""

from srup.p256_comb import Comb, let_go

G = bytes.fromhex(
    "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
    "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
)
place = ["", False]  # the folder where combs are kept, and if they are in memory, too
_open = {}  # public key -> Table


class Table:
    """A public key and its comb."""

    def __init__(self, public_key, comb):
        self.public_key = public_key
        self.comb = comb

    def point(self):
        return int.from_bytes(self.public_key[1:33], "big"), int.from_bytes(self.public_key[33:], "big")


def keep(folder, in_memory=False):
    """See srup.p256.keep_tables."""
    place[:] = folder, in_memory
    _open.clear()


def small(x, y):
    """The comb of a point that nothing is kept of: 4 teeth, 8 rows."""
    from srup.p256_build import build

    let_go("p256_build")
    return Comb(next(build(x, y, 4, 1)), 4, 1)


def of_g():
    """The comb of G: frozen, or in its file, or made now and kept in memory."""
    if G not in _open:
        from srup.p256_files import frozen, kept, made

        _open[G] = Table(G, frozen() or kept(G, place, _open) or made(G))
        let_go("p256_files")
    return _open[G].comb


def of_key(public_key):
    """The Table of a public key, which has been checked; None where no place is set for it."""
    if public_key not in _open:
        from srup.p256_files import kept

        comb = kept(public_key, place, _open)
        let_go("p256_files")
        if not comb:
            return None
        _open[public_key] = Table(public_key, comb)
    return _open[public_key]
