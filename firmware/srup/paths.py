"""What MicroPython's os lacks: is it there, away with it, and all that is in a folder."""

import os

from srup_boot.slot import is_folder


def exists(path):
    """True if there is a file or a folder."""
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def remove(path):
    """A file; nothing if it is not there. Raises OSError."""
    if exists(path):
        os.remove(path)


def empty(folder):
    """Generator: remove all that is in a folder."""
    for name in os.listdir(folder):
        path = folder + "/" + name
        if is_folder(path):
            yield from empty(path)
            os.rmdir(path)
        else:
            os.remove(path)
        yield
