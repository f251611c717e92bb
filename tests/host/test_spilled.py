"""Secrets stay where they belong: in files of their own, for their owner alone, and in nothing that is printed or logged."""

import stat
from pathlib import Path

import pytest

from srup_host import keyfiles
from srup_host.fleet import Fleet
from tests.flow.world import GOOD, World
from tests.host import spilled
from tests.host.shell import run, srup

PASSPHRASE = "correct horse battery staple"


def secrets_of(folder: Path) -> set[bytes]:
    """The private keys and passwords that lie there, as bytes."""
    fleet = Fleet.open(folder)
    numbers = [fleet.private_key(role).private_numbers().private_value for role in ("command", "release", "authority")]
    return {number.to_bytes(32, "big") for number in numbers} | {PASSPHRASE.encode()}


def test_every_file_of_a_fleet_with_a_secret_in_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.start()
        world.expect(world.initiate(world.bundle(GOOD, "2.0")), "UPDATE_SUCCESS")
    secrets = secrets_of(tmp_path / "fleet")
    holders = [
        path for path in (tmp_path / "fleet").rglob("*") if path.is_file() and _holds(path.read_bytes(), secrets)
    ]
    assert len(holders) >= 4, "the three keys and that of its authority"
    assert [path for path in holders if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def _holds(data: bytes, secrets: set[bytes]) -> bool:
    return spilled.PEM.encode() in data or any(secret in data for secret in secrets)


def test_what_a_board_and_its_server_say_has_no_secret_in_it(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.start()
        token = world.update(GOOD, "2.0")
        world.expect(token, "ACTIVATE_TRIAL")
        world.inventory()
        lines = "\n".join(world.board.lines())
    own = {path: path.read_bytes() for path in (tmp_path / "board").rglob("*") if path.is_file()}
    assert any(secret for secret in own.values()), "its flash is in a file"
    assert "srup: connected" in lines
    assert spilled.found_in(lines) == []


def test_commands_that_use_a_passphrase_do_not_say_it_and_no_more_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRUP_PASSPHRASE", PASSPHRASE)
    made = run("keys", "new", tmp_path / "release.pem")
    assert made.code == 0, made.err
    pem = (tmp_path / "release.pem").read_bytes()
    assert b"ENCRYPTED" in pem and stat.S_IMODE((tmp_path / "release.pem").stat().st_mode) == 0o600
    srup("init", tmp_path / "fleet")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app.py").write_text("pass\n")
    shown = [made, run("keys", "show", tmp_path / "release.pem")]
    build = (
        "bundle",
        "build",
        tmp_path / "app",
        "--release-key",
        tmp_path / "release.pem",
        "--name",
        "demo",
        "--version",
        "1",
        "--fleet",
        tmp_path / "fleet",
    )
    shown += [run(*build, "-o", tmp_path / "x.srup"), run("bundle", "show", tmp_path / "x.srup")]
    monkeypatch.setenv("SRUP_PASSPHRASE", "not the passphrase at all")
    shown.append(run("keys", "show", tmp_path / "release.pem"))
    said = "".join(each.text + each.err for each in shown)
    assert said and spilled.found_in(said) == []
    assert PASSPHRASE not in said and "not the passphrase at all" not in said


def test_a_secret_that_is_printed_is_found_in_each_of_its_forms() -> None:
    key = keyfiles.generate()
    number = key.private_numbers().private_value.to_bytes(32, "big")
    assert spilled.found_in(f"key: {number.hex().upper()}") == ["a private key"]
    assert spilled.found_in(keyfiles.private_pem(key).decode()) == ["a private key in PEM"]
    assert spilled.found_in("nothing of it") == []
