"""srup bundle: what it builds is what a board takes, signed, the same every time, or nothing."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import ecdsa
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from srup import p256
from srup_host import bundle, init, keyfiles, signing
from srup_host.console import Failure
from tests.host.shell import failed, run, srup
from tests.unit import bundles

KEY = ec.derive_private_key(int.from_bytes(bundles.RELEASE, "big"), ec.SECP256R1())


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    fleet = init.create(tmp_path / "fleet", "garden")
    monkeypatch.setenv("SRUP_FLEET", str(fleet.directory))
    return fleet


@pytest.fixture
def source(tmp_path):
    """An application, with what lies about beside it."""
    for path, text in {
        "app.py": "import lib.a\n\ndef setup(agent):\n    pass\n",
        "lib/a.py": "X = 1\n",
        "www/index.html": "<h1>hello</h1>",
        "lib/__pycache__/a.cpython-311.pyc": "left behind",
        ".git/config": "not for boards",
    }.items():
        (tmp_path / "demo" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "demo" / path).write_text(text)
    return tmp_path / "demo"


@pytest.fixture
def built(fleet, source, tmp_path):
    srup("bundle", "build", source, "-o", tmp_path / "demo.srup", "--version", "1.0")
    return tmp_path / "demo.srup"


def build(source, *arguments):
    return srup("bundle", "build", source, "-o", source.parent / "x.srup", "--version", "1.0", "--json", *arguments)


def test_the_same_bytes_as_written_after_the_description_alone():
    """tests/unit/bundles.py knows the format and RFC 6979, and shares no code with the builder."""
    wanted = bundles.build()
    packed = bundle.pack(
        dict(bundles.FILES), KEY, name="demo", version="1.0.0+a_b", counter=5, boards=["UNIX"], window=0
    )
    assert packed == wanted


def test_what_is_built_holds_the_compiled_application(built, fleet):
    read = bundle.read(built)
    assert list(read.files) == ["app.mpy", "lib/a.mpy", "www/index.html"]
    assert read.files["app.mpy"][:2] == b"M\x06"
    assert b"app.py" in read.files["app.mpy"]  # the name in tracebacks, with no path of this machine
    assert str(built.parent).encode() not in built.read_bytes()
    assert read.files["www/index.html"] == b"<h1>hello</h1>"
    manifest = read.manifest
    assert (manifest["name"], manifest["version"], manifest["mpy"], manifest["boards"]) == ("demo", "1.0", "6.3", [])
    read.verify(fleet.public_key("release"))


def test_ecdsa_verifies_the_release_signature(built, fleet):
    raw = built.read_bytes()
    assert raw[:7] == b"SRUP\x02\x00\x40"
    end = 75 + int.from_bytes(raw[71:75], "big")
    key = ecdsa.VerifyingKey.from_string(fleet.public_key("release"), ecdsa.NIST256p, hashlib.sha256)
    assert key.verify(raw[7:71], b"SRUP\x02" + raw[71:end])
    assert p256.is_low_s(raw[7:71])


def test_the_same_input_gives_the_same_bytes_wherever_and_whenever(built, source, tmp_path):
    elsewhere = tmp_path / "somewhere" / "else" / "demo"
    for path in sorted(source.rglob("*"), reverse=True):  # in another order of making
        if path.is_file():
            target = elsewhere / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            os.utime(target, (1, 1))
            target.chmod(0o700)
    again = tmp_path / "again.srup"
    srup("bundle", "build", elsewhere, "-o", again, "--version", "1.0")
    assert again.read_bytes() == built.read_bytes()


def test_uncompiled(fleet, source):
    shown = build(source, "--no-compile").json
    assert [file["path"] for file in shown["files"]] == ["app.py", "lib/a.py", "www/index.html"]
    assert shown["manifest"]["mpy"] == ""


def test_without_a_fleet(source, tmp_path, monkeypatch):
    monkeypatch.delenv("SRUP_FLEET", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "srup init" in failed("bundle", "build", source, "-o", "x.srup", "--version", "1")
    (tmp_path / "release.pem").write_bytes(keyfiles.private_pem(KEY))
    build(source, "--release-key", tmp_path / "release.pem", "--counter", "3")
    assert "good" in srup("bundle", "verify", "x.srup", "--key", bundles.PUBLIC.hex()).text
    message = failed(
        "bundle", "build", source, "-o", "y", "--version", "1", "--release-key", "release.pem", "--raise-counter"
    )
    assert "--counter" in message


# The security counter


def counter(result):
    return result.json["manifest"]["counter"]


def test_the_counter_stays_until_it_is_raised(fleet, source):
    assert counter(build(source)) == 0
    assert counter(build(source, "--raise-counter")) == 1
    assert counter(build(source)) == 1
    assert counter(build(source, "--counter", "7")) == 7
    assert counter(build(source, "--name", "other")) == 0
    lower = build(source, "--counter", "2")
    assert counter(lower) == 2 and "will refuse" in lower.err
    assert counter(build(source)) == 7
    assert json.loads((fleet.directory / "releases.json").read_text()) == {"demo": 7}


def test_bad_counters(fleet, source):
    command = ("bundle", "build", source, "-o", "x.srup", "--version", "1")
    assert "exclude" in failed(*command, "--counter", "1", "--raise-counter")
    assert "2147483647" in failed(*command, "--counter", "2147483648")
    assert "counter" in failed(*command, "--counter", "-1")
    (fleet.directory / "releases.json").write_text('{"demo": "many"}')
    assert "releases.json" in failed(*command)


# What can't be built


@pytest.mark.parametrize(
    "path, says",
    [
        ("boot.py", "boot part"),
        ("srup_boot/hw.py", "boot part"),
        ("a/b/c/d/e/f/g.txt", "too deep"),
        ("x" * 97, "too long"),
        ("a\\b", "backslash"),
        ("a:b", "colon"),
        ("a\x7fb", "control character"),
    ],
)
def test_paths_that_no_board_takes(fleet, source, tmp_path, path, says):
    (source / path).parent.mkdir(parents=True, exist_ok=True)
    (source / path).write_text("")
    message = failed("bundle", "build", source, "-o", tmp_path / "x.srup", "--version", "1")
    assert says in message
    assert not (tmp_path / "x.srup").exists()


def test_names_and_versions_that_no_board_takes(fleet, source):
    command = ("bundle", "build", source, "-o", "x.srup")
    assert "version" in failed(*command, "--version", "1 0")
    assert "version" in failed(*command, "--version", "1" * 33)
    assert "name" in failed(*command, "--version", "1", "--name", 'a"b')
    assert "boards" in failed(*command, "--version", "1", "--board", "a b")


def test_a_fault_in_the_source_is_named_with_its_line(fleet, source, tmp_path):
    (source / "lib" / "a.py").write_text("X = 1\nif X\n")
    message = failed("bundle", "build", source, "-o", tmp_path / "x.srup", "--version", "1")
    assert "lib/a.py, line 2" in message and "SyntaxError" in message and "/tmp" not in message


def test_both_source_and_compiled(fleet, source):
    (source / "app.mpy").write_bytes(b"M\x06\x00\x1f")
    assert "app.mpy are both there" in failed("bundle", "build", source, "-o", "x", "--version", "1")


def test_compiled_for_another_version(fleet, source):
    (source / "old.mpy").write_bytes(b"M\x05\x00\x1f")
    assert "old.mpy" in failed("bundle", "build", source, "-o", "x", "--version", "1")


def test_links(fleet, source, tmp_path):
    (tmp_path / "shared.txt").write_text("shared")
    (source / "shared.txt").symlink_to(tmp_path / "shared.txt")
    assert "shared.txt" in build(source).text
    (source / "dangling").symlink_to(tmp_path / "nothing")
    assert "dangling" in failed("bundle", "build", source, "-o", "x", "--version", "1")
    (source / "dangling").unlink()
    (source / "folder").symlink_to(tmp_path)
    assert "folder" in failed("bundle", "build", source, "-o", "x", "--version", "1")


def test_nothing_too_much_and_no_directory(fleet, source, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no files" in failed("bundle", "build", tmp_path / "empty", "-o", "x", "--version", "1")
    assert "not a directory" in failed("bundle", "build", tmp_path / "none", "-o", "x", "--version", "1")
    for number in range(257):
        (source / f"{number}.txt").write_text("")
    assert "at most 256" in failed("bundle", "build", source, "-o", "x", "--version", "1")


def test_a_board_has_nothing_to_start_without_an_app(fleet, source):
    assert "app.py" not in build(source).err
    (source / "app.py").rename(source / "main.py")
    assert "app.py" in build(source).err


def test_a_bundle_appears_whole_or_not_at_all(built, source, monkeypatch):
    before = built.read_bytes()
    monkeypatch.setattr(signing, "sign", lambda key, data: bytes(63) + b"\x01")
    assert "nothing was written" in failed("bundle", "build", source, "-o", built, "--version", "2")
    assert built.read_bytes() == before
    assert sorted(path.name for path in built.parent.iterdir()) == ["demo", "demo.srup", "fleet"]


def test_no_bundle_is_put_in_place_that_the_release_key_did_not_sign(tmp_path, fleet):
    with pytest.raises(Failure, match="can't write"):
        bundle.write(tmp_path / "x.srup", bundles.build(), fleet.public_key("release"))
    assert [path.name for path in tmp_path.iterdir()] == ["fleet"]


def test_where_it_can_t_be_written(fleet, source, tmp_path):
    assert "can't write" in failed("bundle", "build", source, "-o", tmp_path / "no" / "x.srup", "--version", "1")


# Looking at one


def test_show(built):
    text = srup("bundle", "show", built).text
    for part in ("demo 1.0", "lib/a.mpy", hashlib.sha256(built.read_bytes()).hexdigest(), "6.3"):
        assert part in text
    shown = srup("bundle", "show", built, "--json").json
    assert shown["digest"] == hashlib.sha256(built.read_bytes()).hexdigest()
    assert shown["size"] == built.stat().st_size
    assert shown["files"][2] == {
        "path": "www/index.html",
        "size": 14,
        "sha256": hashlib.sha256(b"<h1>hello</h1>").hexdigest(),
    }


def test_verify(built, fleet, tmp_path):
    assert "good" in srup("bundle", "verify", built).text
    assert "good" in srup("bundle", "verify", built, "--key", fleet.directory / "keys" / "release.pub.pem").text
    wrong = fleet.directory / "keys" / "command.pub.pem"
    assert "not signed by this release key" in failed("bundle", "verify", built, "--key", wrong, code=1)
    assert "can't read" in failed("bundle", "verify", tmp_path / "none.srup")
    (tmp_path / "key").write_text("x")
    assert "no public key" in failed("bundle", "verify", built, "--key", tmp_path / "key")


def test_every_single_bit_counts(built, fleet):
    whole = built.read_bytes()
    key = fleet.public_key("release")
    for bit in range(0, 8 * len(whole), 5):  # 5: each byte, and in turn each place in a byte
        built.write_bytes(bundles.flipped(whole, bit))
        try:
            bundle.read(built).verify(key)
        except Failure as failure:
            assert failure.code == 1
        except bundle.BadSignature:
            assert 7 * 8 <= bit < (75 + int.from_bytes(whole[71:75], "big")) * 8  # the signature, or the manifest
        else:
            pytest.fail(f"bit {bit} does not count")


def test_every_truncation_is_refused(built):
    whole = built.read_bytes()
    for end in range(len(whole)):
        built.write_bytes(whole[:end])
        with pytest.raises(Failure) as caught:
            bundle.read(built)
        assert caught.value.code == 1


@pytest.mark.parametrize("key, says", [("body", "the body is not"), ("tree", "its files are not")])
def test_hashes_that_do_not_match(tmp_path, key, says):
    (tmp_path / "x.srup").write_bytes(bundles.build(**{key: f'"{"0" * 64}"'}))
    result = run("bundle", "verify", tmp_path / "x.srup", "--key", bundles.PUBLIC.hex())
    assert result.code == 1 and f"{says} what the manifest says" in result.err


# Vectors that were written after the description alone


def test_the_vectors_are_what_their_script_makes():
    script = Path(__file__).parents[1] / "vectors" / "make_bundles.py"
    made = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    kept = script.with_name("bundles.txt").read_text()
    for line, wanted in zip(made.splitlines(), kept.splitlines(), strict=True):
        assert line == wanted or "_DEFLATED" in line  # of which there are as many forms as there are encoders


@pytest.mark.parametrize("name", ["OLD", "FULL", "FULL_DEFLATED", "DELTA", "DELTA_DEFLATED", "IMAGE", "IMAGE_DELTA"])
def test_vectors_are_read(tmp_path, name):
    lines = (Path(__file__).parents[1] / "vectors" / "bundles.txt").read_text().splitlines()[1:]
    vectors = {key: bytes.fromhex(value) for key, value in map(str.split, lines)}
    for each, value in vectors.items():
        (tmp_path / each).write_bytes(value)
    base = {"DELTA": "OLD", "IMAGE_DELTA": "IMAGE"}.get(name.removesuffix("_DEFLATED"))
    read = bundle.read(tmp_path / name, bundle.read(tmp_path / base) if base else None)
    read.verify(vectors["RELEASE_KEY"])
    assert sum(map(len, read.files.values())) == read.manifest["size"]
