"""`make bench`: the figures of the unix port -> build/bench/unix.json and a table. Ratios compare; milliseconds depend on the machine."""

import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Console
from rich.table import Table

from tests.unit.on_micropython import ROOT, run


def openssl_verify_us(times: int = 200) -> float:
    """OpenSSL's P-256 verification here: what the ratio is to."""
    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(b"bench", ec.ECDSA(hashes.SHA256()))
    start = time.perf_counter()
    for _ in range(times):
        key.public_key().verify(signature, b"bench", ec.ECDSA(hashes.SHA256()))
    return (time.perf_counter() - start) / times * 1e6


def main() -> None:
    figures = json.loads(run(ROOT / "tests" / "bench_device.py", heap="2m").splitlines()[-1])
    figures |= json.loads(run(ROOT / "tests" / "bench_p256_device.py", heap="2m", native=True).splitlines()[-1])
    figures["verify / OpenSSL's on this machine"] = round(figures["verify"] / openssl_verify_us())
    for what in ("verify", "sign"):
        ours = min(value for name, value in figures.items() if name.startswith(f"{what}, viper"))
        figures[f"{what}: reference / viper"] = round(figures[f"{what}, reference"] / ours, 1)
    target = ROOT / "build" / "bench" / "unix.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=1) + "\n")
    table = Table("on the unix port", "figure", title="make bench")
    for name, value in sorted(figures.items()):
        unit = " bytes" if name.startswith("heap") else " x" if "/" in name else " us"
        table.add_row(name, f"{value:,}{unit}")
    console = Console()
    console.print(table)
    console.print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
