"""Patches between two versions of a file: made by `detools`, its sequential kind, with no compression of its own.

detools has to be compiled where it is installed, and so is the one package that may be missing.
"""

import io

from srup_host.console import Failure

try:
    import detools
except ImportError:  # no compiler when it was to be installed
    detools = None


def create(old: bytes, new: bytes) -> bytes:
    """The patch that makes `new`, not empty, of `old`. Raises Failure where detools is not installed."""
    if detools is None:
        raise Failure(
            "a delta needs the package detools", "pip install detools, which takes a C compiler; or leave --from away"
        )
    patch = io.BytesIO()
    detools.create_patch(io.BytesIO(old), io.BytesIO(new), patch, compression="none")
    return patch.getvalue()
