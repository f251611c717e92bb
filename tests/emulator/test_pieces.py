"""The emulator's own pieces, tested in their own language."""

import subprocess

from tests.emulator.node import FOLDER


def test_each_piece_does_what_its_contract_says(emulator):
    command = [emulator, "--test", "--test-reporter=spec"]
    result = subprocess.run(command, check=False, cwd=FOLDER / "pieces", capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr
