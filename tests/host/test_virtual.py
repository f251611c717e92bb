"""The virtual board: what is on a new one, and that its power, its resets and its console are a board's."""

import contextlib
import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from srup import p256
from srup_host import bundle as bundles
from srup_host import credentials, device_tree, init
from srup_host.console import Failure
from srup_host.virtual import interpreter, making
from srup_host.virtual.running import VirtualBoard
from tests.host import shell
from tests.unit.on_micropython import ROOT

RESET = "import ffi\nffi.open(None).func('v', '_exit', 'i')(64)\n"
FIRMWARE = ROOT / "firmware"


# What goes onto a board


def test_package_json_lists_every_file_that_belongs_into_lib():
    listed = (FIRMWARE / "package.json").read_text()
    assert listed == device_tree.package_json(), "python -m srup_host.device_tree > firmware/package.json"
    package = json.loads(listed)
    assert {name for name, _ in package["deps"]} == {"umqtt.simple", "hashlib"}
    for target, url in package["urls"]:
        assert (FIRMWARE / url).read_bytes() == device_tree.package_files()[target].read_bytes()


def test_mip_installs_the_package_from_a_checkout(monkeypatch):
    """mpremote's own installer, with a dictionary for a board, and the index of micropython-lib out of its reach."""
    from mpremote import mip

    board = {}

    class Transport:
        def fs_exists(self, path):
            return any(name.startswith(path) for name in board)

        def fs_mkdir(self, path):
            pass

        def fs_writefile(self, path, data, progress_callback=None):
            board[path] = data

    install, wanted = mip._install_package, []

    def install_ours(transport, package, *arguments):
        if package.endswith(".json"):
            install(transport, package, *arguments)
        else:
            wanted.append(package)

    monkeypatch.setattr(mip, "_install_package", install_ours)
    install_ours(Transport(), str(FIRMWARE / "package.json"), "", "/lib", None, True)
    assert set(board) == {f"/lib/{name}" for name in device_tree.package_files()}
    assert wanted == ["umqtt.simple", "hashlib"]


def test_the_manifest_freezes_all_of_it(monkeypatch):
    frozen, required = set(), []

    def package(name, base_path="."):
        base = Path(base_path).resolve() if base_path == "." else Path(base_path)
        frozen.update(f"{name}/{path.relative_to(base / name)}" for path in (base / name).rglob("*.py"))

    class Options:
        def defaults(self, **values):
            self.__dict__.update(values)

    monkeypatch.chdir(FIRMWARE)
    functions = {"package": package, "require": required.append, "options": Options()}
    functions["module"] = lambda name, base_path=".": frozen.add(name) if Path(base_path, name).is_file() else None
    exec(Path("manifest.py").read_text(), functions)
    assert frozen >= set(device_tree.package_files()) | {"boot.py", "main.py"}
    assert required == ["umqtt.simple"]


# A new board


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    return init.create(tmp_path_factory.mktemp("fleet") / "fleet", "fleet")


APP = "async def main(agent):\n    print('app', agent.config.name, agent.config.board)\n"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The folder of an application that says its name."""
    folder = tmp_path_factory.mktemp("app") / "app"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    return folder


def read_back(board, path):
    """A file of a board that is off."""
    script = "import nor, sys\nnor.mount('.')\nsys.stdout.buffer.write(open(sys.argv[1], 'rb').read())\n"
    command = [interpreter.find(), "-c", f"import sys\nsys.path.insert(0, {str(interpreter.BOARD)!r})\n{script}", path]
    return subprocess.run(command, cwd=board, capture_output=True, check=True).stdout


def test_a_new_board_is_enrolled_with_the_key_that_it_made(fleet, tmp_path):
    making.make(tmp_path / "new", fleet, flash_size=512 * 1024)
    device = fleet.device("new")
    private = read_back(tmp_path / "new", f"/{device_tree.DATA}/device.key")
    assert p256.public_key(private) == device.key
    config = json.loads(read_back(tmp_path / "new", f"/{device_tree.DATA}/config.json"))
    assert (config["uuid"], config["name"], config["board"]) == (device.uuid, "new", "UNIX")
    assert config["provisioned"] == device.provisioned
    assert config["broker"]["password"] != ""
    assert read_back(tmp_path / "new", f"/{device_tree.DATA}/ca0.der") == fleet.ca_der()
    assert (tmp_path / "new" / "flash.img").stat().st_size == 512 * 1024


def test_it_runs_its_application(fleet, app, tmp_path):
    making.make(tmp_path / "runs", fleet, application=app)
    with VirtualBoard(tmp_path / "runs").start() as board:
        assert "slot a" in board.wait_for("srup: agent")
        board.wait_for("app runs UNIX")


def test_without_an_application_it_is_in_recovery(fleet, tmp_path):
    making.make(tmp_path / "empty", fleet)
    with VirtualBoard(tmp_path / "empty").start() as board:
        assert "recovery" in board.wait_for("srup: agent")


def test_it_takes_only_what_the_fleets_release_key_signed(fleet, tmp_path):
    packed = bundles.pack({"app.py": b""}, fleet.private_key("command"), name="app", version="1", counter=0)
    (tmp_path / "app.srup").write_bytes(packed)
    with pytest.raises(Failure, match="signature") as failed:
        making.make(tmp_path / "refuses", fleet, application=tmp_path / "app.srup")
    assert failed.value.code == 1
    assert not making.exists(tmp_path / "refuses")
    with pytest.raises(Failure):
        fleet.device("refuses")


def test_no_two_boards_are_alike(fleet, tmp_path):
    keys = set()
    for name in ("one", "two"):
        making.make(tmp_path / name, fleet)
        keys |= {fleet.device(name).public_key, json.loads((tmp_path / name / "board.json").read_text())["unique_id"]}
    assert len(keys) == 4


def test_a_board_is_not_made_over_another(fleet, tmp_path):
    making.make(tmp_path / "taken", fleet)
    image = (tmp_path / "taken" / "flash.img").read_bytes()
    with pytest.raises(Failure, match="--fresh"):
        making.make(tmp_path / "taken", fleet, "other")
    assert (tmp_path / "taken" / "flash.img").read_bytes() == image


def test_fresh_erases_and_enrols_anew(fleet, tmp_path):
    arguments = ["virtual", tmp_path / "again", "--fleet", fleet.directory, "--no-run"]
    assert shell.run(*arguments).code == 0
    before = fleet.device("again")
    assert shell.run(*arguments, "--fresh").code == 0
    after = fleet.device("again")
    assert before.uuid != after.uuid
    assert before.public_key != after.public_key
    assert [device.uuid for device in fleet.devices() if device.name == "again"] == [after.uuid]


def test_what_is_no_micropython_is_refused(monkeypatch, tmp_path):
    fake = tmp_path / "micropython"
    fake.write_text("#!/bin/sh\necho 1 24 2822\n")
    fake.chmod(0o755)
    for program in (fake, "/bin/false", tmp_path / "nothing"):
        monkeypatch.setenv("SRUP_MICROPYTHON", str(program))
        with pytest.raises(Failure):
            interpreter.find()


# Power and console: boards with a main.py of the test's own


@pytest.fixture
def board(tmp_path):
    """board(main, boot="") -> a VirtualBoard with these two files; its power is cut at the end."""
    made = []

    def make(main, boot="", **hardware):
        source = tmp_path / f"source{len(made)}"
        source.mkdir()
        (source / "boot.py").write_text(boot)
        (source / "main.py").write_text(main)
        directory = tmp_path / f"board{len(made)}"
        directory.mkdir()
        making.make_flash(directory, 128 * 1024)
        making.put(directory, str(source))
        making.describe(directory, str(uuid.uuid4()), **hardware)
        made.append(VirtualBoard(directory))
        return made[-1]

    yield make
    for each in made:
        each.power_cut()


def finish(board, timeout=30, **options):
    """Run it to its end: (exit code, lines)."""
    board.start(**options)
    return board.wait_stopped(timeout), board.lines()


def test_scripts_start_as_on_a_chip(board):
    main = "import os, sys\nprint(sys.path, sys.argv, os.getcwd(), sorted(os.listdir()), __name__, told)\n"
    code, lines = finish(board(main, boot="told = 'by boot.py'\n"))
    told = "['', '.frozen', '/lib'] [] / ['boot.py', 'main.py'] __main__ by boot.py"
    assert lines == [told, "--- at the prompt (exit code 0) ---"]
    assert code == 0


def test_its_hardware_is_described_by_board_json(board):
    main = "import gc, os\nprint(os.getenv('SRUP_CLOCK_UNSET'), os.getenv('SRUP_UNIQUE_ID'), gc.mem_free() + gc.mem_alloc())\n"
    sizes, identities = [], set()
    for clock, heap, unset in ((True, "200K", "None"), (False, "400K", "1")):
        _, lines = finish(board(main, clock=clock, heap=heap))
        assert lines[0].split()[0] == unset
        identities.add(lines[0].split()[1])
        sizes.append(int(lines[0].split()[2]))
    assert len(identities) == 2
    assert sizes[0] < 200 * 1024 < sizes[1] < 400 * 1024


def test_an_exception_is_shown_and_ends_at_the_prompt(board):
    code, lines = finish(board("print('before')\n1/0\n", boot="undefined\n"))
    assert [line for line in lines if "Error" in line] == [
        "NameError: name 'undefined' isn't defined",
        "ZeroDivisionError: divide by zero",
    ]
    assert "before" in lines  # main.py runs whatever happened to boot.py
    assert lines[-1] == "--- at the prompt (exit code 1) ---"
    assert code == 1


COUNT = """
import os
count = len(open("count").read()) if "count" in os.listdir() else 0
with open("count", "a") as file:
    file.write(".")
print("boot", count)
"""


def test_a_reset_starts_it_again_with_its_flash(board):
    code, lines = finish(board(COUNT + "if count < 2:\n    " + RESET.replace("\n", "\n    ")))
    assert lines == [
        "boot 0",
        "--- reset ---",
        "boot 1",
        "--- reset ---",
        "boot 2",
        "--- at the prompt (exit code 0) ---",
    ]
    assert code == 0


def test_once_ends_at_the_first_reset(board):
    code, lines = finish(board(COUNT + RESET), once=True)
    assert lines == ["boot 0", "--- reset ---"]
    assert code == 64


def test_leaving_main_by_sys_exit_is_a_soft_reset(board):
    _, lines = finish(board(COUNT + "import sys\nif count == 0:\n    sys.exit()\n"))
    assert lines[:3] == ["boot 0", "--- reset ---", "boot 1"]


ALARM = "import ffi\nif count == 0:\n    ffi.open(None).func('I', 'alarm', 'I')(1)\n"


@pytest.mark.parametrize("hang", ["    while True:\n        pass\n", "    1/0\n"], ids=["loop", "prompt"])
def test_the_watchdog_resets_a_board_that_hangs_and_one_at_its_prompt(board, hang):
    _, lines = finish(board(COUNT + ALARM + hang))
    assert [line for line in lines if line[:3] in ("boo", "---")] == [
        "boot 0",
        "--- reset by the watchdog ---",
        "boot 1",
        "--- at the prompt (exit code 0) ---",
    ]


WRITER = """
import os
if "log" in os.listdir():
    with open("log") as file:
        lines = file.read().split()
    print("found", len(lines), lines == ["%06d" % n for n in range(len(lines))])
else:
    lines = []
n = len(lines)
while True:
    with open("log", "a") as file:
        file.write("%06d\\n" % n)
    print("wrote", n)
    n += 1
"""


def test_a_file_that_was_closed_survives_a_power_cut_at_any_time(board):
    writer = board(WRITER)
    written = -1
    for cut in range(6):

        def pull_the_plug(line, after=written + 3 + 7 * cut):
            if line == f"wrote {after}":
                writer.power_cut()

        writer.start(pull_the_plug)
        writer.wait_stopped(60)
        lines = writer.lines()
        assert lines[-1] == "--- power cut ---"
        if cut:
            _, found, whole = writer.wait_for("found").split()
            assert int(found) > written
            assert whole == "True"
        counted = (re.fullmatch(r"wrote (\d+)", line) for line in lines)  # the last may be torn
        written = max(int(found[1]) for found in counted if found)


def test_power_is_cut_at_the_flash_operation_asked_for(board):
    writer = board(WRITER)
    before = writer.operations()
    code, lines = finish(writer, cut=before + 10)
    assert (code, lines[-1]) == (65, "--- power cut ---")
    assert writer.operations() == before + 9
    assert finish(writer, cut=before + 20, torn=True)[0] == 65
    assert writer.operations() == before + 20
    assert sum(writer.erases()) > 0


def test_waiting_for_a_line(board):
    talker = board("for n in range(3):\n    print('line', n)\n").start()
    assert talker.wait_for("line 1") == "line 1"
    assert talker.wait_for("line") == "line 2"  # after that one
    with pytest.raises(TimeoutError, match="the board is off\n(.*\n)*line 2"):
        talker.wait_for("line 0")
    silent = board("while True:\n    pass\n").start()
    with pytest.raises(TimeoutError, match="'anything'"):
        silent.wait_for("anything", 0.2)
    with pytest.raises(TimeoutError):
        silent.wait_stopped(0.2)


def test_one_flash_has_one_board(board):
    first = board("print('up')\nwhile True:\n    pass\n").start()
    first.wait_for("up")
    with pytest.raises(Failure, match="running already"):
        VirtualBoard(first.directory).start()
    first.power_cut()
    with VirtualBoard(first.directory).start() as second:
        second.wait_for("up")


def test_what_the_board_prints_can_be_any_bytes(board):
    _, lines = finish(board("import sys\nsys.stdout.buffer.write(b'\\xff\\xfe\\r\\n')\nprint('after')\n"))
    assert lines[1] == "after"


def test_a_faulty_listener_does_not_leave_the_board_running(board, monkeypatch):
    monkeypatch.setattr("threading.excepthook", lambda arguments: None)

    def fail(line):
        raise RuntimeError("listener")

    noisy = board("print('up')\nwhile True:\n    pass\n").start(fail)
    noisy.wait_stopped(30)
    with VirtualBoard(noisy.directory).start() as again:
        again.wait_for("up")


# The command


def srup(*arguments):
    command = [sys.executable, "-m", "srup_host.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_is_a_power_cut(board, number, code):
    endless = board("print('up')\nwhile True:\n    pass\n")
    with srup("virtual", endless.directory) as process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.stdout.read() == "--- power cut ---\n"
    assert process.returncode == code
    endless.start()  # which it would not, if the other were still there


def test_a_board_whose_command_was_killed_keeps_its_flash_to_itself(board):
    endless = board("import os\nprint('up', os.getcwd())\nwhile True:\n    pass\n")
    with srup("virtual", endless.directory) as process:
        process.stdout.readline()
        process.kill()
    with pytest.raises(Failure, match="running already"):
        endless.start()
    orphans = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _runs_in(pid, endless.directory)]
    assert len(orphans) == 1
    os.kill(orphans[0], signal.SIGKILL)
    until = time.monotonic() + 30
    while not endless.running and time.monotonic() < until:
        with contextlib.suppress(Failure):
            endless.start()
    endless.wait_for("up")


def _runs_in(pid, directory):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cwd").resolve() == directory.resolve()
    return False


def test_the_commands_exit_code_is_the_boards(board):
    result = shell.run("virtual", board("1/0\n").directory, "--once", "--timestamps")
    assert result.code == 1
    assert result.text.splitlines()[-1].endswith("--- at the prompt (exit code 1) ---")


def test_an_application_is_not_put_onto_a_board_that_is_there(board, app):
    result = shell.run("virtual", board("").directory, "--app", app)
    assert (result.code, "--fresh" in result.err) == (2, True)


def test_a_fleet_is_needed_for_a_new_board(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = shell.run("virtual", "kitchen")
    assert (result.code, "no fleet" in result.err) == (2, True)
    assert not Path("kitchen").exists()


# What is refused, and what is left of it


@pytest.fixture
def virtual(fleet, tmp_path, monkeypatch):
    """virtual(directory, options) -> what `srup virtual` fails with."""
    monkeypatch.setenv("SRUP_FLEET", str(fleet.directory))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **how: shell.failed("virtual", *arguments, "--no-run", **how)


def test_the_keys_of_a_board_are_for_its_owner_alone(fleet, tmp_path):
    before = os.umask(0o022)
    try:
        making.make(tmp_path / "mine", fleet)
        (tmp_path / "there").mkdir(0o755)
        making.make(tmp_path / "there", fleet)
    finally:
        os.umask(before)
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700
    for directory in ("mine", "there"):
        assert (tmp_path / directory / "flash.img").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("heap", ["banana", "", "0", "-1", "38OK", "380 K", "380KB", "٣K"])
def test_a_heap_that_no_board_would_start_with_is_refused(virtual, heap):
    assert "no size of a heap" in virtual("heaps", "--heap", heap)
    assert not Path("heaps").exists()


@pytest.mark.parametrize("joins", [(), ("--join",)])
def test_a_name_that_is_none_is_refused_and_leaves_nothing(virtual, joins):
    assert "is no device name" in virtual("ok", "--name", "-x y", *joins)
    assert "is no device name" in virtual("my board", *joins)
    assert os.listdir() == []


def test_a_name_that_is_taken_is_refused_and_leaves_nothing(virtual, fleet, tmp_path):
    making.make(tmp_path / "first", fleet)
    assert "has a device named first" in virtual("second", "--name", "first")
    assert os.listdir() == ["first"]


def test_an_application_that_is_none_is_refused_and_leaves_nothing(virtual, fleet, tmp_path):
    known = fleet.device_uuids()
    (tmp_path / "bad.srup").write_bytes(b"not one")
    assert "there is no application" in virtual("sheds", "--app", "nowhere")
    virtual("sheds", "--app", "bad.srup", code=1)
    assert os.listdir() == ["bad.srup"] and fleet.device_uuids() == known
    Path("sheds").mkdir()
    Path("sheds/notes").write_text("mine")
    virtual("sheds", "--app", "bad.srup", code=1)
    assert os.listdir("sheds") == ["notes"]


def test_what_can_be_seen_to_be_wrong_erases_no_board(virtual, fleet, tmp_path):
    making.make(tmp_path / "stays", fleet)
    making.make(tmp_path / "other", fleet)
    before = fleet.device("stays")
    for wrong in (("--name", "other"), ("--name", "-"), ("--heap", "x"), ("--app", "nowhere")):
        virtual("stays", "--fresh", *wrong)
    assert making.exists(tmp_path / "stays") and fleet.device("stays") == before


def test_a_flash_of_no_board_is_kept_until_it_is_to_be_erased(virtual, tmp_path):
    """Of a chip that somebody has read out, say."""
    Path("kept").mkdir()
    Path("kept/flash.img").write_bytes(b"all that there is of it")
    for wrong in (("--heap", "lots"), (), ("--fresh", "--heap", "lots")):
        virtual("kept", *wrong)
        assert Path("kept/flash.img").read_bytes() == b"all that there is of it"
    assert "flash.img in kept already" in virtual("kept")
    shell.srup("virtual", "kept", "--no-run", "--fresh")
    assert making.exists(tmp_path / "kept")


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("last", ["slots.json", "board.json"])
def test_a_board_that_is_not_made_to_its_end_is_none_of_the_fleet_s(tmp_path, monkeypatch, fault, last):
    """And so the next attempt has its name."""
    fleet = init.create(tmp_path / "fleet", "fleet")
    put, describe = making._put_contents, making.describe

    def put_until(directory, contents, *key):
        if f"{device_tree.DATA}/{last}" in contents:
            raise fault
        return put(directory, contents, *key)

    def describe_until(directory, *what):
        describe(directory, *what)
        if last == "board.json":
            raise fault

    with monkeypatch.context() as patched, pytest.raises(type(fault)):
        patched.setattr(making, "_put_contents", put_until)
        patched.setattr(making, "describe", describe_until)
        making.make(tmp_path / "attic", fleet, raw_slot=64 * 1024)
    assert not (tmp_path / "attic").exists()
    assert (fleet.devices(), credentials.users(fleet)) == ([], [])
    making.make(tmp_path / "attic", fleet)


def test_another_name_for_a_board_that_is_there_is_not_passed_over(virtual, fleet, tmp_path):
    making.make(tmp_path / "known", fleet)
    assert "--fresh" in virtual("known", "--name", "unknown")
    assert fleet.device("known") and all(device.name != "unknown" for device in fleet.devices())
