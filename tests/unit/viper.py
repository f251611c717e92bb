"""The modules that need native code. On CPython they run on words that may not leave 32 bits, and raise where one does."""

import sys

try:
    import p256_numbers

    import p256_field
    from srup import p256_build, p256_comb
except ImportError:
    from tests.host.viper_words import load_modules

    p256_field, p256_numbers, p256_build, p256_comb = load_modules(
        "p256_field", "p256_numbers", "srup.p256_build", "srup.p256_comb"
    )

CHECKED = sys.implementation.name == "cpython"  # a thousand times slower, so ask for less
