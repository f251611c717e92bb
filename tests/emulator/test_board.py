"""Real MicroPython on the emulated Pico, through unmodified mpremote: what a user sees of a board."""

import os
import socket
import subprocess

import pytest

from tests.emulator.board import Board, BoardError, run_script

WDT_RESET, PWRON_RESET = 3, 1
FILE = 20_000  # bytes: five sectors, and what littlefs writes around them

ECHO = """
import machine
uart = machine.UART(0, 3000000, rxbuf=4096, txbuf=4096)
buffer = bytearray(1024)
left = {size}
print('listening')
while left:
    count = uart.readinto(buffer) if uart.any() else 0
    if count:
        uart.write(memoryview(buffer)[:count])
        left -= count
"""

# Some of everything: floating point, garbage collection, hashing, flash, timers, randomness, the cycle register.
WORK = """
import hashlib, machine, os, time
print([i / 7 for i in range(50)][-1], hashlib.sha256(bytes(5000)).digest().hex())
with open('work', 'wb') as file:
    file.write(os.urandom(3000))
time.sleep_ms(30)
print(os.stat('work')[6], time.ticks_us(), machine.mem32[0x40070000])
"""


def evaluate(board, expression):
    return eval(board.mpremote("exec", f"print({expression})"))


def power_fails_while_copying(board, file):
    with pytest.raises(subprocess.CalledProcessError):
        board.mpremote("fs", "cp", str(file), ":new")
    return board.wait_for("power cut")


def test_the_repl_evaluates_an_expression(board):
    assert evaluate(board, "1 + 1") == 2
    assert evaluate(board, "(1.5 * 3, 10 ** 20 // 3, b'\\x00\\xff')") == (4.5, 10**20 // 3, b"\x00\xff")


def test_an_exception_on_the_board_is_mpremotes_failure(board):
    with pytest.raises(subprocess.CalledProcessError):
        board.mpremote("exec", "1 / 0")


def test_a_file_survives_a_reset_and_a_power_cut(board, tmp_path):
    content = os.urandom(FILE)
    (tmp_path / "file").write_bytes(content)
    board.mpremote("fs", "cp", str(tmp_path / "file"), ":kept")
    board.mpremote("reset")
    board.wait_for("reset")
    board.mpremote("fs", "cp", ":kept", str(tmp_path / "after reset"))
    assert (tmp_path / "after reset").read_bytes() == content
    board.power_cut()
    board.start()
    board.mpremote("fs", "cp", ":kept", str(tmp_path / "after power cut"))
    assert (tmp_path / "after power cut").read_bytes() == content


def test_mpremote_mounts_a_folder_of_this_machine(board, tmp_path):
    (tmp_path / "from_host.py").write_text("ANSWER = 42\n")
    output = board.mpremote("mount", str(tmp_path), "exec", "import from_host; print(from_host.ANSWER)")
    assert output.splitlines()[-1] == "42"


def test_a_starved_watchdog_resets_the_board(board):
    board.mpremote("exec", "--no-follow", "import machine; machine.WDT(timeout=100)\nwhile True: pass")
    assert board.wait_for("reset")["reason"] == "watchdog"
    assert evaluate(board, "__import__('machine').reset_cause()") == WDT_RESET


def test_the_reset_button_is_a_power_on_to_the_firmware(board):
    board.reset()
    assert evaluate(board, "__import__('machine').reset_cause()") == PWRON_RESET


def test_the_uart_carries_bytes_both_ways_at_3_megabaud_and_loses_none(board, tmp_path):
    data = os.urandom(30_000)
    board.mpremote("exec", "--no-follow", ECHO.format(size=len(data)))
    while "listening" not in board.output:
        board.counters()
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(60)
        line.connect(str(board.uart))
        line.sendall(data)
        received = bytearray()
        while len(received) < len(data):
            received += line.recv(65536)
    assert received == data


@pytest.mark.parametrize("kind", ["before", "torn", "after"])
@pytest.mark.parametrize("operation", [1, 2, 7, 30])
def test_littlefs_mounts_after_the_power_failed_while_it_wrote(board, tmp_path, operation, kind):
    (tmp_path / "file").write_bytes(os.urandom(FILE))
    board.mpremote("exec", "f = open('kept', 'w'); f.write('still here'); f.close()")
    board.cut_power_at(operation, kind)
    power_fails_while_copying(board, tmp_path / "file")
    board.start()
    # The firmware would have formatted a file system that does not mount, and the file would be gone.
    assert board.mpremote("fs", "cat", ":kept") == "still here"
    board.mpremote("fs", "cp", str(tmp_path / "file"), ":new")
    board.mpremote("fs", "cp", ":new", str(tmp_path / "new"))
    assert (tmp_path / "new").read_bytes() == (tmp_path / "file").read_bytes()


def test_a_board_that_was_cut_off_says_so(board, tmp_path):
    (tmp_path / "file").write_bytes(bytes(FILE))
    board.cut_power_at(3, "torn")
    assert power_fails_while_copying(board, tmp_path / "file")["where"].startswith("torn, operation ")
    with pytest.raises(BoardError):
        board.counters()


def test_what_is_not_emulated_is_an_error_and_no_silence(board):
    with pytest.raises(subprocess.SubprocessError):
        board.mpremote("exec", "import _thread; _thread.start_new_thread(print, ())")
    with pytest.raises(BoardError, match="second core"):
        board.wait_for("never")


def test_a_seed_makes_a_board_of_its_own(firmware, tmp_path):
    found = set()
    for seed in (1, 2):
        with Board(firmware, tmp_path / f"flash{seed}", seed=seed) as board:
            found.add(evaluate(board, "(__import__('machine').unique_id(), __import__('os').urandom(8))"))
    (first_id, first_random), (second_id, second_random) = found
    assert first_id != second_id
    assert first_random != second_random


@pytest.mark.parametrize("options", [(), ("--fast",), ("--slow",)], ids=["paced", "fast", "other interpreter"])
def test_two_runs_take_the_same_cycles(firmware, tmp_path, options):
    (tmp_path / "work.py").write_text(WORK)
    first = run_script(firmware, tmp_path / "work.py")
    assert first[1].flash_operations > 10
    assert run_script(firmware, tmp_path / "work.py", options=options) == first


def test_a_script_that_fails_or_resets_the_board_has_not_run(firmware, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("print('so far')\n1 / 0\n")
    with pytest.raises(BoardError, match="ZeroDivisionError"):
        run_script(firmware, script)
    script.write_text("import machine\nmachine.reset()\n")
    with pytest.raises(BoardError, match="reset software"):
        run_script(firmware, script)
