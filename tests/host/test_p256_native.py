"""Native code for P-256: who wrote it, for which processors it compiles, what p256 does with it and without, and that it can
be installed alone."""

import json
import subprocess
import sys

import pytest

from srup_host import native
from tests.host.viper_words import Word
from tests.unit.on_micropython import ROOT, device_tree, run

FIELD = ROOT / "native" / "p256_field.py"
SIZES = {"armv6m": 16, "armv7m": 16, "armv7emsp": 16, "xtensawin": 21, "rv32imc": 38, "x64": 38}  # KB of viper code
WHICH = """
import sys
sys.path[:] = {path}
from srup import p256
from tests.unit import test_p256
test_p256.test_rfc_6979_vectors()
print(p256.KERNEL)
"""


def which(tmp_path, modules):
    """What srup.p256 says it runs on where these are the only native modules: name -> contents."""
    for name in ("srup", "tests"):
        (tmp_path / name).symlink_to(device_tree() / name)
    for name, contents in modules.items():
        (tmp_path / name).write_bytes(contents)
    script = tmp_path / "which.py"
    script.write_text(WHICH.format(path=[".frozen", str(tmp_path)]), "utf-8")
    return run(script).strip()


def test_it_is_what_its_generator_writes():
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "p256_field.py"], capture_output=True, text=True, check=True
    ).stdout
    assert made == FIELD.read_text("utf-8"), "python tools/p256_field.py > native/p256_field.py"


@pytest.mark.parametrize("processor", native.PROCESSORS)
def test_it_compiles(processor):
    assert sum(map(len, native.compiled(processor, "viper").values())) < SIZES[processor] * 1000


def test_without_it_the_reference_runs(tmp_path):
    assert which(tmp_path, {}) == "reference"


def test_made_for_another_processor_the_reference_runs(tmp_path):
    assert which(tmp_path, native.compiled("xtensawin")) == "reference"


def test_its_syntax_unknown_the_reference_runs(tmp_path):
    """As a firmware without the native compiler finds @micropython.viper: a SyntaxError."""
    broken = FIELD.read_bytes().replace(b"@micropython.viper", b"@micropython.unheard_of")
    numbers = (FIELD.parent / "p256_numbers.py").read_bytes()
    assert which(tmp_path, {"p256_field.py": broken, "p256_numbers.py": numbers}) == "reference"


def test_where_the_kernel_for_the_rp2040_can_not_be_loaded_viper_is(tmp_path):
    assert which(tmp_path, native.compiled("armv6m", "thumb") | native.compiled("x64")) == "viper x64"


def test_a_board_says_for_which_processor_its_code_must_be():
    """sys.implementation._mpy of 1.25: the unix port, RP2040, ESP32, ESP32-C3, one without native code."""
    asked = [2 << 10 | 0x306, 4 << 10 | 0x306, 10 << 10 | 0x306, 11 << 10 | 0x306, 0x306]
    assert [native.processor(mpy) for mpy in asked] == ["x64", "armv6m", "xtensawin", "rv32imc", ""]
    assert native.compiled("") == {}


def test_alone_it_verifies_and_signs(tmp_path):
    """What mip takes from a folder is all that it needs."""
    package = native.package("x64")
    urls = json.loads(package.pop("package.json"))["urls"]
    for target, url in urls:
        (tmp_path / target).parent.mkdir(exist_ok=True)
        (tmp_path / target).write_bytes(package.pop(url))
    assert not package
    script = tmp_path / "alone.py"
    script.write_text(
        f"import sys; sys.path[:] = ['.frozen', {str(tmp_path)!r}]\n"
        "from srup import p256\n"
        "key, digest = bytes(31) + b'k', bytes(32)\n"
        "p256.verify(p256.public_key(key), digest, p256.sign(key, digest))\n"
        "print(p256.KERNEL)\n"
    )
    assert run(script).strip() == "viper x64"


def test_the_words_of_the_checks_are_of_32_bits():
    assert Word(2**30) + Word(2**30 - 1) == 2**31 - 1
    for overflow in (lambda: Word(2**30) + 2**30, lambda: 2**16 * Word(2**15), lambda: Word(1) << 31):
        with pytest.raises(OverflowError):
            overflow()
