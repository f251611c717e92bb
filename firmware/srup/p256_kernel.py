"""The native code for P-256 that this board has, a kernel: docs/p256.md says what that is. KERNEL is which.

Importing this fails where there is none, or it is made for another processor.
"""

try:
    import p256_thumb as _field

    _numbers = _field
    KERNEL = _field.KERNEL
except (ImportError, SyntaxError, ValueError):  # SyntaxError: source, and no compiler for it
    import p256_numbers as _numbers

    import p256_field as _field

    KERNEL = _field.KERNEL + " " + _numbers.PROCESSOR  # "viper armv6m"

MUL, SQR, LIN, LOAD = _field.MUL, _field.SQR, _field.LIN, _field.LOAD
workspace = _field.workspace
program = _field.program
run = _field.run
walk = _field.walk
load = _field.load
save = _field.save
inverse = _numbers.inverse
digits = _numbers.digits
