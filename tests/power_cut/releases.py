"""The releases of the campaign's application, of every kind, in one file of JSON. Runs on CPython."""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from srup_host import bundle, images, sources

GOOD = """
import relay
VERSION = "{version}"

def setup(agent):
    agent.on_self_test(lambda: True)
    agent.on_action(lambda number, parameters: relay.click(parameters[0]))
    agent.on_data(lambda name, value: relay.click(value[0]))
"""
RELEASES = {  # version: (security counter, app.py)
    "1.0": (1, GOOD),
    "1.1": (1, GOOD),
    "2.0": (2, GOOD),
    "3.0": (3, GOOD),
    "sick": (2, GOOD.replace("True", "False")),  # fails its self-test
    "crashes": (2, GOOD + "    raise ValueError(VERSION)\n"),
    "resets": (2, GOOD.replace("def setup", "relay.reset()\n\ndef setup")),  # whenever it is started
}
TABLE = 40  # hashes of 32 bytes: what does not compress
_HEADER = b"\xe9\x01" + bytes(21) + b"\x01"  # of an ESP32 image: magic, segments; a SHA-256 is appended


def build(path: Path, table: int = TABLE) -> None:
    """{version: {"files": {path: ...}, "bundles": {kind: ...}, "images": {kind: ...}}}, all contents in base64, signed by the
    campaign's release key (tests.unit.server.Key). table: hashes in the application's file of data."""
    secret = int.from_bytes(hashlib.sha256(b"release").digest(), "big")
    key = ec.derive_private_key(secret, ec.SECP256R1())
    built = {version: _release(version, counter, source, table, key) for version, (counter, source) in RELEASES.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(built))


def _release(
    version: str, counter: int, source: str, table: int, key: ec.EllipticCurvePrivateKey
) -> dict[str, dict[str, str]]:
    source = source.replace("{version}", version)
    data = b"".join(hashlib.sha256(f"{version} {n}".encode()).digest() for n in range(table))
    files = sources.compile_all({"app.py": source.encode(), "data/table.bin": data})
    firmware = _HEADER + source.encode()
    found = {"romfs": images.romfs(files), "firmware": firmware + hashlib.sha256(firmware).digest()}
    contents = {"app": files} | {kind: {bundle.IMAGE: image} for kind, image in found.items()}
    bundles = {
        kind: bundle.pack(each, key, name="demo", version=version, counter=counter, kind=kind, window=0)
        for kind, each in contents.items()
    }
    return {"files": _text(files), "bundles": _text(bundles), "images": _text(found)}


def _text(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(data).decode() for name, data in contents.items()}
