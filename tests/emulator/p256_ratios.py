"""The figures of P-256 beside each other, and as a ratio to published ones of libraries in C on the same core: a Cortex-M0+."""

from rich.table import Table

# Cycles of a verification; with -Os, or -O2, or as said.
PUBLISHED = {
    "p256-m -Os": 96_000_000,
    "mbedTLS 3.6 -Os": 41_700_000,
    "mbedTLS 3.6 -O2": 33_200_000,
    "BearSSL i15": 36_500_000,
    "micro-ecc, C": 35_300_000,
    "micro-ecc, assembler": 16_400_000,
}
OURS = {
    "naive": "p256_verify_naive_cycles",
    "reference": "p256_verify_reference_cycles",
    "viper, unknown key": "p256_verify_unknown_cycles",
    "viper, rows from littlefs": "p256_verify_flash_cycles",
    "viper, tables in memory": "p256_verify_cycles",
    "thumb, unknown key": "p256_verify_asm_unknown_key_cycles",
    "thumb, tables in memory": "p256_verify_asm_cycles",
}
OTHERS = {  # largest figure, and what else a variant costs
    "viper, rows from littlefs": ("p256_verify_flash_max_cycles", "p256_sign_flash_cycles", "p256_open_table_cycles"),
    "viper, tables in memory": ("p256_verify_max_cycles", "p256_sign_cycles", "p256_table_cycles"),
    "thumb, tables in memory": ("p256_verify_asm_max_cycles", "p256_sign_asm_cycles", "p256_asm_table_cycles"),
    "reference": ("", "p256_sign_reference_cycles", ""),
}


def ratios(cycles: dict[str, int]) -> dict[str, dict[str, float]]:
    """Ours -> theirs -> how many of our verifications take as long as one of theirs. Raises KeyError for a missing figure."""
    return {
        ours: {theirs: round(published / cycles[figure], 3) for theirs, published in PUBLISHED.items()}
        for ours, figure in OURS.items()
    }


def table(cycles: dict[str, int]) -> Table:
    """To be printed; figures in millions of cycles."""
    title = "ECDSA P-256, millions of cycles; and how many verifications take as long as one in C, as published"
    shown = Table("", "verify", "slowest", "sign", "table", *PUBLISHED, title=title)
    shown.add_row("published", "", "", "", "", *(_millions(published) for published in PUBLISHED.values()))
    for ours, times in ratios(cycles).items():
        others = (_millions(cycles[name]) if name else "" for name in OTHERS.get(ours, ("", "", "")))
        shown.add_row(ours, _millions(cycles[OURS[ours]]), *others, *(f"{ratio:,.2f} x" for ratio in times.values()))
    return shown


def _millions(cycles: int) -> str:
    return f"{cycles / 1e6:,.2f}"
