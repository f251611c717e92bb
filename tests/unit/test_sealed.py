"""Sealed bundles: vectors made by other code, and whatever is not exactly one of them. On MicroPython with its own AES."""

from binascii import unhexlify

from srup import bundle, p256, port, sealed
from srup.errors import InvalidKey, UpdateFailed
from srup.status import UPDATE_FAIL_BOARD, UPDATE_FAIL_BUNDLE
from tests.unit.bundles import Vectors, flipped
from tests.unit.check import raises
from tests.unit.scratch import Scratch, exists, read, write

VECTORS = Vectors()
OURS = VECTORS["RECIPIENT_1"]


def unseal(root, data, key=OURS):
    write(root + "/in", data)
    pieces = len(list(sealed.unseal(root + "/in", root + "/out", key)))
    assert pieces >= 2
    return read(root + "/out")


def refused(status, root, data, key=OURS):
    assert raises(UpdateFailed, unseal, root, data, key).status == status
    assert not exists(root + "/out")


def test_what_was_sealed_comes_out():
    with Scratch() as root:
        for name in ("SEALED_FOR_ONE", "SEALED_FOR_THREE"):
            assert unseal(root, VECTORS[name]) == VECTORS["FULL"]
            assert bundle.is_sealed(root + "/in") and not bundle.is_sealed(root + "/out")


def test_for_others():
    with Scratch() as root:
        refused(UPDATE_FAIL_BOARD, root, VECTORS["SEALED_FOR_THREE"], bytes(31) + b"\x05")


class Known:
    """In place of the two curve operations, while thousands of files are tried: what they gave for the good one."""

    def __enter__(self):
        head = VECTORS["SEALED_FOR_ONE"][5:70]
        ours, shared = p256.public_key(OURS), p256.shared_secret(OURS, head)
        self._before = p256.public_key, p256.shared_secret
        p256.public_key = lambda *_: ours
        p256.shared_secret = lambda key, point, random: shared if point == head else self.other(point)

    def __exit__(self, *_):
        p256.public_key, p256.shared_secret = self._before

    def other(self, point):
        p256.check_public_key(point)
        return bytes(32)


def test_every_truncation_and_extension_is_refused():
    whole = VECTORS["SEALED_FOR_ONE"]
    with Scratch() as root, Known():
        for size in range(5, len(whole)):
            refused(UPDATE_FAIL_BUNDLE, root, whole[:size])
        refused(UPDATE_FAIL_BUNDLE, root, whole + b"\0")
        unseal(root, whole)


def test_flipped_bits_are_refused():
    """Each seventh bit: all bytes, and all positions in a byte."""
    whole = VECTORS["SEALED_FOR_ONE"]
    with Scratch() as root, Known():
        for bit in range(0, 8 * len(whole), 7):
            ours = 71 <= bit >> 3 < 79  # another recipient, then
            refused(UPDATE_FAIL_BOARD if ours else UPDATE_FAIL_BUNDLE, root, flipped(whole, bit))


def test_counts_of_recipients():
    whole = VECTORS["SEALED_FOR_ONE"]
    with Scratch() as root, Known():
        for count in (0, 2, 33, 255):
            refused(UPDATE_FAIL_BUNDLE, root, whole[:70] + bytes((count,)) + whole[71:])


# The parts, by the vectors of their standards


def test_aes_256_ctr():
    """NIST SP 800-38A, F.5.5, gives its counter blocks: what CTR is made of is F.1.5, ECB."""
    key = unhexlify("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    plain = unhexlify("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    out = bytearray(32)
    port.aes_ecb(key)(plain, out)
    assert out == unhexlify("f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870")
    stream = bytearray(32)
    port.aes_ecb(key)(bytes(31) + b"\x01", stream)
    data = bytearray(range(20))
    sealed.Counter(key).crypt(memoryview(data))
    assert data == sealed.xor(bytes(range(20)), stream[:20])


def test_ctr_goes_on_where_it_was():
    key, whole, parts = bytes(range(32)), bytearray(5000), bytearray(5000)
    counter = sealed.Counter(key)
    for at in range(0, 5000, 2048):
        counter.crypt(memoryview(whole)[at : at + 2048])
    counter = sealed.Counter(key)
    for at in range(0, 5000, 16):
        counter.crypt(memoryview(parts)[at : at + 16])
    assert whole == parts
    assert len({bytes(whole[at : at + 16]) for at in range(0, 4992, 16)}) == 312


def test_hmac_sha_256():
    """RFC 4231, test cases 1 and 2."""
    for key, data, tag in (
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ):
        assert sealed.hmac(key, data) == unhexlify(tag)


def test_hkdf_sha_256():
    """RFC 5869, appendix A: test cases 1 (basic), 2 (longer inputs and outputs), 3 (without salt and info)."""
    for secret, salt, info, okm in (
        (
            b"\x0b" * 22,
            bytes(range(0x0D)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            (
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
            ),
        ),
        (
            b"\x0b" * 22,
            b"",
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ):
        assert sealed.expand(secret, info, len(okm) // 2, salt) == unhexlify(okm)


def test_p256_shared():
    """NIST CAVP, KAS ECC CDH Primitive, P-256, COUNT = 0."""
    theirs = (
        "04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
        "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac"
    )
    ours = unhexlify("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534")
    shared = unhexlify("46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b")
    assert p256.shared_secret(ours, unhexlify(theirs)) == shared
    assert p256.shared_secret(ours, unhexlify(theirs), port.random) == shared
    for bad in (bytes(65), b"\x04" + bytes(64), unhexlify(theirs)[:64], unhexlify(theirs)[:64] + b"\0"):
        raises(InvalidKey, p256.shared_secret, ours, bad)
    raises(InvalidKey, p256.shared_secret, bytes(32), unhexlify(theirs))
