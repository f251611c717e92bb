# ruff: noqa: F401, names for others to import
"""The native code for P-256 that this board has, a kernel: docs/p256.md says what that is. KERNEL is which.

Importing this fails where there is none, or it is made for another processor.
"""

try:
    from p256_thumb import KERNEL, LIN, LOAD, MUL, SQR, digits, inverse, load, program, run, save, walk, workspace
except (ImportError, SyntaxError, ValueError):  # SyntaxError: source, and no compiler for it
    from p256_numbers import PROCESSOR, digits, inverse

    from p256_field import KERNEL, LIN, LOAD, MUL, SQR, load, program, run, save, walk, workspace

    KERNEL += " " + PROCESSOR  # "viper armv6m"
