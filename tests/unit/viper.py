"""The modules that need viper. On CPython they run on words that may not leave 32 bits, and raise where one does."""

import sys

try:
    import p256_field
    from srup import p256_comb
except ImportError:
    from tests.host.viper_words import load_modules

    p256_field, p256_comb = load_modules()

CHECKED = sys.implementation.name == "cpython"  # a thousand times slower, so ask for less
