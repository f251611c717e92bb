"""The viper kernel as compiled for other processors, run: MicroPython for 32-bit Arm on QEMU loads what boards from armv6m to
armv7emsp do. There is none for xtensawin and rv32imc: for these it is compiled only."""

import os
import random
import subprocess
from pathlib import Path

import pytest

from srup_host import native
from tests.host import test_p256_cross as cross
from tests.unit.on_micropython import ROOT, device_tree

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(900)]
MICROPYTHON = ROOT / ".cache/bin/micropython-arm"
PROCESSORS = ("armv6m", "armv7m", "armv7emsp")
CHECKS = 200
UNITS = """
from tests.unit import test_p256, test_p256_comb, test_p256_field
for module in test_p256_field, test_p256_comb:
    for name in sorted(dir(module)):
        if name.startswith("test_") and name not in {slow}:
            getattr(module, name)()
            print("ok", name)
test_p256.test_rfc_6979_vectors()
test_p256.test_the_point_at_infinity_is_no_match()
test_p256.test_r_and_s_out_of_range()
print("ok", "all")
"""
SLOW = [
    "test_every_row",
    "test_pairs",
    "test_infinity_and_equal_summands_are_never_taken_for_a_point",
    "test_multiples",
]


@pytest.fixture(params=PROCESSORS)
def board(request, tmp_path):
    """Runs a script on MicroPython with the kernel for this processor: what it writes."""
    if not MICROPYTHON.is_file():
        if os.environ.get("CI"):
            pytest.fail("no MicroPython for Arm: python tools/install_qemu.py")
        pytest.skip("no MicroPython for Arm: `make nightly` installs it")
    for name, contents in native.compiled(request.param, "viper").items():
        (tmp_path / name).write_bytes(contents)

    def run(script: Path, stdin: str = "") -> str:
        done = subprocess.run(
            [MICROPYTHON, "-X", "heapsize=1m", script],
            env=os.environ | {"MICROPYPATH": f".frozen:{device_tree()}:{tmp_path}"},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_it_is_this_kernel_that_runs_and_its_arithmetic_is_right(board, tmp_path):
    script = tmp_path / "units.py"
    script.write_text(f"from srup import p256\nprint(p256.KERNEL)\n{UNITS.format(slow=SLOW)}")
    kernel, *passed = board(script).splitlines()
    assert kernel.startswith("viper armv7em")  # what this MicroPython is for
    assert passed[-1] == "ok all" and len(passed) > 15


def test_it_agrees_with_cryptography(board):
    rng = random.Random(3)
    inputs = [(rng.randrange(1, cross.N), rng.randbytes(32)) for _ in range(CHECKS)]
    good = [(cross.openssl_public_key(d), digest, cross.openssl_sign(d, digest)) for d, digest in inputs]
    bad = [cross.tampered(rng, *case) for case in good]
    asked = [("verify", *case) for case in good + bad] + [("sign", cross.octets(d), digest) for d, digest in inputs]
    lines = "\n".join(",".join([name, *(argument.hex() for argument in arguments)]) for name, *arguments in asked)
    answers = board(cross.ORACLE, lines).split()
    assert answers[:CHECKS] == ["ok"] * CHECKS
    assert len(answers) == 3 * CHECKS and set(answers[CHECKS : 2 * CHECKS]) <= cross.REFUSED
    for (public_key, digest, _), signature in zip(good, answers[2 * CHECKS :], strict=True):
        assert cross.openssl_accepts(public_key, digest, bytes.fromhex(signature))
