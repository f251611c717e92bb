"""The releases of the campaign's application, of every kind, in one file of JSON. Runs on CPython.

`version` is a full bundle, `version-delta` a change to the one before it, `version-sealed` for the board's eyes only,
`version-next` signed by the release key's successor; `maps-1` are new files for whatever version runs.
"""

import base64
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from srup_host import bundle, delta, images, sealing, signing, sources

GOOD = """
import relay
VERSION = "{version}"

def setup(agent):
    agent.on_self_test(lambda: True)
    agent.on_action(lambda number, parameters: relay.click(parameters[0]))
    agent.on_data(lambda name, value: relay.click(value[0]))
    agent.on_files(lambda folder, manifest: relay.take(manifest["version"]))
"""
RELEASES = {  # version: (security counter, app.py)
    "1.0": (1, GOOD),
    "1.1": (1, GOOD),
    "2.0": (2, GOOD),
    "2.1": (2, GOOD + "    # better\n"),
    "3.0": (3, GOOD),
    "sick": (2, GOOD.replace("True", "False")),  # fails its self-test
    "crashes": (2, GOOD + "    raise ValueError(VERSION)\n"),
    "resets": (2, GOOD.replace("def setup", "relay.reset()\n\ndef setup")),  # whenever it is started
}
SAME_TABLE = {"2.1": "2.0"}  # whose file of data has not changed
DELTA = ("2.0", "2.1")
SEALED = "2.0"
MAPS = ("maps-1", "maps-2")
TABLE = 40  # hashes of 32 bytes: what does not compress
_HEADER = b"\xe9\x01" + bytes(21) + b"\x01"  # of an ESP32 image: magic, segments; a SHA-256 is appended


def build(path: Path, table: int = TABLE) -> None:
    """{version: {"files": {path: ...}, "bundles": {kind of board: ...}, "images": {kind: ...}}}, all contents in base64, signed by
    the campaign's release key (tests.unit.server.Key). table: hashes in the application's file of data. Where there is no
    detools there are no deltas."""
    key = _key("release")
    built = {version: _release(version, counter, source, table, key) for version, (counter, source) in RELEASES.items()}
    plain = {version: found.bundles for version, found in built.items()}
    if delta.detools:
        built[f"{DELTA[1]}-delta"] = _Release({}, _deltas(built, plain, key), {})
    counter, source = RELEASES["2.0"]
    built["2.0-next"] = _Release({}, _release("2.0", counter, source, table, _key("next")).bundles, {})
    built[f"{SEALED}-sealed"] = _Release({}, {kind: _sealed(each) for kind, each in plain[SEALED].items()}, {})
    for version in MAPS:
        built[version] = _maps(version, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({version: found.text() for version, found in built.items()}))


@dataclass(frozen=True)
class _Release:
    files: Mapping[str, bytes]
    bundles: Mapping[str, bytes]
    images: Mapping[str, bytes]

    def text(self) -> dict[str, dict[str, str]]:
        return {"files": _text(self.files), "bundles": _text(self.bundles), "images": _text(self.images)}


def _key(name: str) -> ec.EllipticCurvePrivateKey:
    """As tests.unit.server.Key."""
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(name.encode()).digest(), "big"), ec.SECP256R1())


def _release(version: str, counter: int, source: str, table: int, key: ec.EllipticCurvePrivateKey) -> _Release:
    source = source.replace("{version}", version)
    files = sources.compile_all({"app.py": source.encode(), "data/table.bin": _table(version, table)})
    firmware = _HEADER + source.encode()
    found = {"romfs": images.romfs(files), "firmware": firmware + hashlib.sha256(firmware).digest()}
    contents = {"app": files} | {kind: {bundle.IMAGE: image} for kind, image in found.items()}
    bundles = {
        kind: bundle.pack(each, key, name="demo", version=version, counter=counter, kind=kind, window=0)
        for kind, each in contents.items()
    }
    found["set"] = found["firmware"]
    bundles["set"] = bundle.pack(
        files, key, name="demo", version=version, counter=counter, kind="set", firmware=found["set"], window=0
    )
    return _Release(files, bundles, found)


def _table(version: str, size: int) -> bytes:
    version = SAME_TABLE.get(version, version)
    return b"".join(hashlib.sha256(f"{version} {n}".encode()).digest() for n in range(size))


def _deltas(
    built: Mapping[str, _Release], plain: Mapping[str, Mapping[str, bytes]], key: ec.EllipticCurvePrivateKey
) -> dict[str, bytes]:
    old, new = DELTA
    made = {}
    for kind in plain[new].keys() - {"set"}:
        contents = built[new].files if kind == "app" else {bundle.IMAGE: built[new].images[kind]}
        with tempfile.TemporaryDirectory() as folder:
            base = Path(folder, "base.srup")
            base.write_bytes(plain[old][kind])
            made[kind] = bundle.pack(
                contents,
                key,
                name="demo",
                version=new,
                counter=RELEASES[new][0],
                kind=kind,
                base=bundle.read(base),
            )
    return made


def _sealed(packed: bytes) -> bytes:
    """The same bytes each time, which a bundle out in the world must not be."""
    return sealing.seal(packed, [signing.public_bytes(_key("sealing"))], lambda: _key("ephemeral"), bytes)


def _maps(version: str, key: ec.EllipticCurvePrivateKey) -> _Release:
    files = {f"{name}.map": _table(f"{version} {name}", 20) for name in ("east", "west")}
    packed = bundle.pack(files, key, name="maps", version=version, counter=1, kind="data", window=0)
    return _Release(files, dict.fromkeys(("app", "romfs", "firmware", "set"), packed), {})


def _text(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(data).decode() for name, data in contents.items()}
