"""srup bundle: deltas, sealing, recipes, kinds, and keys that are somewhere else."""

import hashlib
import json
import random
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from srup_host import bundle, delta, images, init, keyfiles, signing
from tests.host.shell import failed, run, srup
from tests.unit import bundles
from tests.unit.on_micropython import interpreter
from tests.unit.test_esp_image import image


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    fleet = init.create(tmp_path / "fleet", "garden")
    monkeypatch.setenv("SRUP_FLEET", str(fleet.directory))
    monkeypatch.chdir(tmp_path)
    return fleet


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "kitchen"
    for number in range(12):
        path = folder / "lib" / f"m{number:02}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(f"def f{each}(x):\n    return x * {each * number} + {each}" for each in range(30)))
    (folder / "app.py").write_text("def setup(agent):\n    pass\n")
    return folder


@pytest.fixture
def versions(fleet, source):
    """1.0, and 2.0 as kitchen-2.0.srup with kitchen-2.0.from-1.0.srup beside it."""
    pytest.importorskip("detools")
    srup("bundle", "build", source, "--version", "1.0")
    path = source / "lib" / "m05.py"
    path.write_text(path.read_text().replace("x * 25 + 5", "x * 25 + 6"))
    return srup("bundle", "build", source, "--version", "2.0", "--from", "kitchen-1.0.srup", "--json").json


# Deltas


def test_a_delta_is_written_beside_the_bundle_and_makes_the_same(versions, tmp_path):
    (delta,) = versions["deltas"]
    assert delta["bundle"] == "kitchen-2.0.from-1.0.srup"
    old, new = bundle.read(tmp_path / "kitchen-1.0.srup"), bundle.read(tmp_path / "kitchen-2.0.srup")
    assert bundle.read(tmp_path / delta["bundle"], old).files == new.files
    assert delta["manifest"]["base"] == old.manifest["tree"][:16] and delta["manifest"]["tree"] == new.manifest["tree"]
    assert delta["size"] < versions["size"] / 3
    assert [(each["op"], each["path"], each["count"]) for each in delta["records"]] == [
        ("keep", "app.mpy", 6),
        ("patch", "lib/m05.mpy", 1),
        ("keep", "lib/m06.mpy", 6),
    ]


def test_what_a_delta_shows(versions):
    text = srup("bundle", "show", "kitchen-2.0.from-1.0.srup").text
    for part in ("kitchen 2.0", versions["deltas"][0]["manifest"]["base"], "app.mpy and 5 more", "patch", "1,024 B"):
        assert part in text, text
    cost = sum(each["cost"] for each in versions["deltas"][0]["records"])
    assert f"of which {versions['deltas'][0]['size'] - cost:,} B manifest and signature" in text
    assert (
        len(srup("bundle", "show", "kitchen-2.0.from-1.0.srup", "--from", "kitchen-1.0.srup", "--json").json["files"])
        == 13
    )


def test_a_delta_is_verified_with_and_without_what_it_is_a_change_to(versions, fleet):
    assert "say --from" in srup("bundle", "verify", "kitchen-2.0.from-1.0.srup").text
    assert "say" not in srup("bundle", "verify", "kitchen-2.0.from-1.0.srup", "--from", "kitchen-1.0.srup").text
    message = failed("bundle", "verify", "kitchen-2.0.from-1.0.srup", "--from", "kitchen-2.0.srup", code=1)
    assert "another version" in message


def test_without_detools_there_are_bundles_but_no_deltas(fleet, source, monkeypatch):
    monkeypatch.setattr(delta, "detools", None)
    srup("bundle", "build", source, "--version", "1.0")
    (source / "app.py").write_text("def setup(agent):\n    return 2\n" * 9)
    assert "C compiler" in failed("bundle", "build", source, "--version", "2.0", "--from", "kitchen-1.0.srup")


def test_deltas_of_deltas_and_of_other_kinds_are_not_made(versions, source, tmp_path):
    again = ("bundle", "build", source, "--version", "3.0")
    assert "full bundle" in failed(*again, "--from", "kitchen-2.0.from-1.0.srup")
    (tmp_path / "table.bin").write_bytes(bytes(1000))
    srup("bundle", "build", tmp_path / "table.bin", "--kind", "data", "--version", "1", "-o", "table.srup")
    assert "kind" in failed(*again, "--from", "table.srup")


def test_the_same_input_gives_the_same_delta(versions, source, tmp_path):
    before = (tmp_path / "kitchen-2.0.from-1.0.srup").read_bytes()
    srup("bundle", "build", source, "--version", "2.0", "--from", "kitchen-1.0.srup")
    assert (tmp_path / "kitchen-2.0.from-1.0.srup").read_bytes() == before


def test_windows(fleet, source):
    sizes = []
    for window in ("9", "10", "12"):
        told = srup("bundle", "build", source, "--version", "1", "--window", window, "--json").json
        assert told["manifest"]["window"] == int(window)
        sizes.append(told["size"])
    assert sizes == sorted(sizes, reverse=True)
    assert "9 to 15" in failed("bundle", "build", source, "--version", "1", "--window", "5")
    assert run("bundle", "build", source, "--version", "1", "--window", "13").code == 2  # no board takes that


def test_uncompressed(fleet, source):
    told = srup("bundle", "build", source, "--version", "1", "--window", "0", "--json").json
    assert told["manifest"]["window"] == 0
    assert [each["cost"] for each in told["records"]] == [
        each["size"] + 7 + len(each["path"]) for each in told["records"]
    ]


# srup-bundle.toml


def recipe(source, **settings):
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    (source / "srup-bundle.toml").write_text("\n".join(lines))


def test_a_recipe_says_what_the_command_line_does_not(fleet, source, tmp_path):
    (source / "notes.md").write_text("not for boards")
    recipe(
        source,
        name="hall",
        version="1.2",
        boards=["ESP32"],
        micropython="1.26",
        agent="0.1",
        exclude=["*.md", "lib/m0*"],
    )
    told = srup("bundle", "build", source, "--version", "1.3", "--json").json
    assert told["bundle"] == "hall-1.3.srup"
    manifest = told["manifest"]
    assert (manifest["name"], manifest["version"], manifest["boards"]) == ("hall", "1.3", ["ESP32"])
    assert (manifest["micropython"], manifest["agent"]) == ("1.26", "0.1")
    assert [each["path"] for each in told["files"]] == ["app.mpy", "lib/m10.mpy", "lib/m11.mpy"]


def test_the_source_may_be_below_the_recipe(fleet, source, tmp_path):
    (tmp_path / "srup-bundle.toml").write_text('name = "hall"\nversion = "1"\nsource = "kitchen"\ncompile = false\n')
    told = srup("bundle", "build", tmp_path, "--json").json
    assert told["files"][0]["path"] == "app.py" and told["manifest"]["name"] == "hall"


@pytest.mark.parametrize(
    "text, says",
    [
        ("name = 1", "name must be text"),
        ('boards = "ESP32"', "boards must be a list"),
        ("boards = [1]", "boards must be a list"),
        ('nmae = "x"', "no such setting: nmae"),
        ("name =", "srup-bundle.toml"),
        ('kind = "set"\nversion = "1"', "name both"),
        ('kind = "sets"\nversion = "1"', "no such kind"),
        ('micropython = "latest"\nversion = "1"', "1.25.0"),
        ('name = "x"', "which version"),
    ],
)
def test_recipes_that_say_nothing_good(fleet, source, text, says):
    (source / "srup-bundle.toml").write_text(text)
    assert says in failed("bundle", "build", source)


# Sealing


def test_sealed_for_a_device_by_its_key(versions, tmp_path):
    key = signing.public_bytes(ec.derive_private_key(7, ec.SECP256R1())).hex()
    srup("bundle", "seal", "kitchen-2.0.srup", "-o", "sealed.srup", "--for", key)
    assert (tmp_path / "sealed.srup").stat().st_size == (tmp_path / "kitchen-2.0.srup").stat().st_size + 71 + 40 + 32
    identity = hashlib.sha256(bytes.fromhex(key)).hexdigest()[:16]
    assert srup("bundle", "show", "sealed.srup", "--json").json["sealed_for"] == [identity]
    assert identity in srup("bundle", "show", "sealed.srup").text
    assert "sealed" in failed("bundle", "verify", "sealed.srup")
    assert "sealed" in failed("bundle", "seal", "sealed.srup", "-o", "x", "--for", key)
    assert "no public key" in failed("bundle", "seal", "kitchen-2.0.srup", "-o", "x", "--for", "04" + 128 * "1")


def test_sealed_for_nobody(versions, fleet):
    assert "no device" in failed("bundle", "seal", "kitchen-2.0.srup", "-o", "x", "--for", "cellar")
    fleet.add_device("cellar", "UNIX", bundles.PUBLIC)
    assert "no key for that" in failed("bundle", "seal", "kitchen-2.0.srup", "-o", "x", "--for", "cellar")


# A release key that is somewhere else


def token(tmp_path, code):
    """A command that signs: a program of its own, as a hardware token's is."""
    program = tmp_path / "token.py"
    program.write_text(
        f"import sys, ecdsa\nkey = ecdsa.SigningKey.from_string(bytes.fromhex({bundles.RELEASE.hex()!r}), ecdsa.NIST256p)\n{code}"
    )
    return f"{sys.executable} {program}"


RAW = "sys.stdout.buffer.write(key.sign_digest(sys.stdin.buffer.read(), sigencode=ecdsa.util.sigencode_string))"
DER = RAW.replace("sigencode_string", "sigencode_der")


@pytest.mark.parametrize("code", [RAW, DER])
def test_another_program_signs(fleet, source, tmp_path, code):
    for _ in range(3):  # high-S in one of two
        srup(
            "bundle", "build", source, "--version", "1", "-o", "x.srup",
            "--release-key", bundles.PUBLIC.hex(), "--signer-command", token(tmp_path, code),
        )  # fmt: skip
        assert "good" in srup("bundle", "verify", "x.srup", "--key", bundles.PUBLIC.hex()).text


def test_openssl_signs(fleet, source, tmp_path):
    (tmp_path / "release.pem").write_bytes(
        keyfiles.private_pem(ec.derive_private_key(int.from_bytes(bundles.RELEASE, "big"), ec.SECP256R1()))
    )
    if subprocess.run(["openssl", "version"], capture_output=True, check=False).returncode:
        pytest.skip("no openssl here")
    command = f"openssl pkeyutl -sign -inkey {tmp_path}/release.pem"
    srup(
        "bundle",
        "build",
        source,
        "--version",
        "1",
        "-o",
        "x.srup",
        "--release-key",
        bundles.PUBLIC.hex(),
        "--signer-command",
        command,
    )
    assert "good" in srup("bundle", "verify", "x.srup", "--key", bundles.PUBLIC.hex()).text


@pytest.mark.parametrize(
    "code, says",
    [
        (RAW, "does not verify"),  # by another key than the fleet's
        ("sys.stdout.write('no')", "no signature"),
        ("sys.exit('token locked')", "token locked"),
        ("pass", "0 bytes"),
    ],
)
def test_a_signer_that_does_not_sign(fleet, source, tmp_path, code, says):
    command = ("bundle", "build", source, "--version", "1", "-o", "x.srup", "--signer-command", token(tmp_path, code))
    assert says in failed(*command)
    assert not (tmp_path / "x.srup").exists()


def test_a_signer_s_command_that_is_none(fleet, source):
    said = failed("bundle", "build", source, "--version", "1", "--signer-command", 'echo "unclosed')
    assert "No closing quotation" in said and "unclosed" in said


def test_a_signer_that_is_not_there(fleet, source):
    assert "can't run" in failed("bundle", "build", source, "--version", "1", "--signer-command", "/nowhere/sign")


# Kinds


def test_data_is_files_as_they_are(fleet, tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "a.py").write_text("not compiled")
    told = srup("bundle", "build", tmp_path / "tables", "--kind", "data", "--version", "1", "--json")
    assert told.json["manifest"]["kind"] == "data" and told.json["files"][0]["path"] == "a.py"
    assert "no app.py" not in told.err


def test_a_firmware_is_looked_at_before_it_is_signed(fleet, tmp_path):
    path = tmp_path / "micropython.bin"
    build = ("bundle", "build", path, "--kind", "firmware", "--version", "1.26")
    path.write_bytes(image(size=9000))
    told = srup(*build, "--board", "ESP32_GENERIC_S3", "--json").json
    assert told["manifest"]["tree"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (told["manifest"]["files"], told["manifest"]["size"], told["manifest"]["boards"]) == (
        1,
        9056,
        ["ESP32_GENERIC_S3"],
    )
    assert "another chip" in failed(*build, "--board", "ESP32_GENERIC")
    assert "--board" in failed(*build)
    path.write_bytes(image(size=9000)[:-1])
    assert "SHA-256" in failed(*build, "--board", "ESP32_GENERIC_S3")
    path.write_bytes(b"UF2\n")
    assert "no ESP32 firmware" in failed(*build, "--board", "ESP32_GENERIC_S3")


def test_a_firmware_as_a_change_to_the_one_before(fleet, tmp_path):
    pytest.importorskip("detools")
    path = tmp_path / "micropython.bin"
    build = ("bundle", "build", path, "--kind", "firmware", "--board", "MY_BOARD")
    path.write_bytes(image(size=9000))
    srup(*build, "--version", "1")
    path.write_bytes(image(size=9500))
    told = srup(*build, "--version", "2", "--from", "micropython-1.srup", "--json").json
    assert told["deltas"][0]["size"] < told["size"]
    assert bundle.read(tmp_path / "micropython-2.from-1.srup", bundle.read(tmp_path / "micropython-1.srup")).files == {
        bundle.IMAGE: path.read_bytes()
    }


def test_a_romfs_is_one_that_micropython_mounts(fleet, source, tmp_path):
    told = srup("bundle", "build", source, "--kind", "romfs", "--version", "1", "--json").json
    assert told["manifest"]["files"] == 1
    made = bundle.read(tmp_path / "kitchen-1.srup").files[bundle.IMAGE]
    assert made == images.romfs(dict(reversed(bundle.compile_all(bundle.collect(source).files).items())))
    (tmp_path / "romfs").write_bytes(made)
    script = (
        "import vfs, os, sys; vfs.mount(vfs.VfsRom(open('romfs', 'rb').read()), '/rom'); sys.path.insert(0, '/rom')\n"
        "import app; from lib import m05; print(sorted(os.listdir('/rom/lib'))[:2], m05.f5(2))"
    )
    done = subprocess.run([interpreter(), "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "['m00.mpy', 'm01.mpy'] 55\n"


def test_a_set_is_a_firmware_and_the_application_that_goes_with_it(fleet, source, tmp_path):
    head = b"\xe9\x02" + bytes(10) + b"\x09\x00" + bytes(9) + b"\x01"
    image = head + random.Random(1).randbytes(5000)
    (tmp_path / "micropython.bin").write_bytes(image + hashlib.sha256(image).digest())
    arguments = ("--version", "2.0", "--board", "ESP32_GENERIC_S3", "--firmware", tmp_path / "micropython.bin")
    told = srup("bundle", "build", source, "-o", tmp_path / "set.srup", *arguments, "--json").json
    manifest = told["manifest"]
    assert (manifest["kind"], manifest["image_size"], manifest["files"]) == ("set", 5056, len(told["files"]))
    assert told["records"][0]["op"] == "image" and told["records"][0]["cost"] > 5000
    read = bundle.read(tmp_path / "set.srup")
    assert read.firmware == (tmp_path / "micropython.bin").read_bytes() and "app.mpy" in read.files
    shown = srup("bundle", "show", tmp_path / "set.srup").text
    assert "firmware" in shown and manifest["image"] in shown and "a firmware of 5,056 B and" in shown
    assert "good" in srup("bundle", "verify", tmp_path / "set.srup").text
    (source / "srup-bundle.toml").write_text(
        'version = "2.0"\nkind = "set"\nboards = ["ESP32_GENERIC_S3"]\nfirmware = "../micropython.bin"\n'
    )
    srup("bundle", "build", source, "-o", tmp_path / "again.srup")
    assert bundle.read(tmp_path / "again.srup").firmware == read.firmware
    build = ("bundle", "build", source, "-o", tmp_path / "x.srup")
    assert "both in full" in failed(*build, "--from", tmp_path / "set.srup")
    (tmp_path / "micropython.bin").write_bytes(image)
    assert "no ESP32 firmware" in failed(*build)
    (source / "srup-bundle.toml").write_text('version = "2.0"\nkind = "set"\n')
    assert "name both" in failed(*build)


def test_no_such_kind(fleet, source):
    assert "app, data, firmware, romfs" in failed("bundle", "build", source, "--version", "1", "--kind", "image")
    assert run("bundle", "build", source, "--version", "1", "--kind", "set").code == 2


# Names


@pytest.mark.parametrize("name", ["kettle-v1.2", "kettle"])
def test_a_bundle_is_called_as_its_directory_is_whatever_dots_are_in_that(fleet, source, tmp_path, name):
    source.rename(tmp_path / name)
    told = srup("bundle", "build", name, "--version", "1.2.0", "--json").json
    assert (told["manifest"]["name"], told["bundle"]) == (name, f"{name}-1.2.0.srup")


def test_and_a_file_without_its_ending(fleet, tmp_path):
    (tmp_path / "table.v2.bin").write_bytes(bytes(100))
    told = srup("bundle", "build", "table.v2.bin", "--kind", "data", "--version", "1", "--json").json
    assert told["manifest"]["name"] == "table.v2"


@pytest.mark.parametrize("output", ["", ".", "/"])
def test_a_name_that_no_file_can_have_is_refused(fleet, source, output):
    assert "no file to write the bundle to" in failed("bundle", "build", source, "--version", "1", "-o", output)
