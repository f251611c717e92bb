"""native/p256_thumb.py on the chip that it is for; and srup.p256 on it, and on the other kernel, against `cryptography`."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from srup_host import device_tree, native
from tests.emulator.board import run_script
from tests.emulator.littlefs import make_flash

HERE = Path(__file__).parent
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PREHASHED = utils.Prehashed(hashes.SHA256())
SAMPLES = 200  # signatures to verify, of three keys; and a quarter as many to make


def run(firmware: Path, folder: Path, script: Path, kernel: str = "thumb", **data: bytes) -> list[list[str]]:
    """Run it where the agent and the native code for this chip are installed, and these files; the words of its
    lines."""
    files = device_tree.device_files() | {
        f"lib/{path}": contents for path, contents in native.compiled("armv6m", kernel).items()
    }
    installed = {path: contents for path, contents in files.items() if path.startswith("lib/")}
    output, _ = run_script(firmware, script, flash=make_flash(folder / "flash", installed | data))
    return [line.split() for line in output.splitlines()]


def test_operations_rows_and_inverses_and_the_same_time_for_all_values(firmware: Path, tmp_path: Path) -> None:
    parts = ("operations", "programs", "rows", "digits", "inverses", "times")
    assert run(firmware, tmp_path, HERE / "p256_thumb_device.py") == [["ok", part] for part in parts]


def signed(key: ec.EllipticCurvePrivateKey, digest: bytes) -> tuple[int, int]:
    """RFC 6979."""
    return utils.decode_dss_signature(key.sign(digest, ec.ECDSA(PREHASHED, deterministic_signing=True)))


def octets(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def cases(key: ec.EllipticCurvePrivateKey, chance: random.Random, count: int) -> Iterator[bytes]:
    """Signatures of `cryptography` with either s; and after each fourth one that something has happened to."""
    public = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    for i in range(count):
        digest = chance.randbytes(32) if i else b"\xff" * 32
        r, s = signed(key, digest)
        yield public + digest + octets(r, chance.choice([s, N - s])) + b"\1"
        if i % 4 == 0:
            bit = 1 << chance.randrange(255)
            broken = [(r ^ bit, s), (r, s ^ bit), (s, r), (r, (s + bit) % N), (N - r, s), (r, N), (0, s), (r + bit, s)]
            yield public + digest + octets(*(number % 2**256 for number in chance.choice(broken))) + b"\0"


@pytest.mark.parametrize("name", native.KERNELS)
def test_verify_and_sign_agree_with_cryptography(name: str, firmware: Path, tmp_path: Path) -> None:
    chance = random.Random(1)
    scalars = [1, 2, N - 1, N - 2] + [chance.randrange(1, N) for _ in range(SAMPLES // 4 - 4)]
    private = [ec.derive_private_key(scalar, ec.SECP256R1()) for scalar in scalars]
    asked = b"".join(case for key in private[3:6] for case in cases(key, chance, SAMPLES // 3 + 1))
    digests = [chance.randbytes(32) for _ in scalars]
    messages = b"".join(octets(scalar) + digest for scalar, digest in zip(scalars, digests, strict=True))

    kernel, *lines = run(firmware, tmp_path, HERE / "p256_cross_device.py", name, cases=asked, messages=messages)
    assert kernel[:2] == ["kernel", name]
    for key, digest, line in zip(private, digests, lines, strict=True):
        r, s = signed(key, digest)
        assert line == ["signed", octets(r, min(s, N - s)).hex()]
