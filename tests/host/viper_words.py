"""MicroPython's viper, as far as native/p256_field.py uses it, in Python that checks what viper does not.

A number is a Word: arithmetic that leaves [-2^31, 2^31) raises OverflowError, so what passes is right in words of 32 bits
and in larger ones. A load is never negative, and neither may be what is stored: on 64-bit machines the sign would be lost.
"""

import builtins
import itertools
import types
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Word(int):
    pass


def _checked(name):
    operation = getattr(int, name)

    def method(self, other):
        result = operation(self, other)
        if not -(2**31) <= result < 2**31:
            raise OverflowError(f"{int(self)} {name} {int(other)}")
        return Word(result)

    return method


for _name in ("add", "sub", "mul", "lshift", "rshift", "and", "or", "xor"):
    setattr(Word, f"__{_name}__", _checked(f"__{_name}__"))
    setattr(Word, f"__r{_name}__", _checked(f"__r{_name}__"))


class Pointer:
    """Into a buffer, at a byte offset. As a number it is an address: the buffer's place in BUFFERS, and the offset."""

    size = 1

    def __init__(self, buffer):
        address = buffer if isinstance(buffer, Word) else _address(buffer)
        self.address = Word(address)
        self.items = BUFFERS[address >> 20][address & 0xFFFFF :].cast({1: "B", 2: "H", 4: "I"}[self.size])

    def __getitem__(self, index):
        return Word(self.items[index])

    def __setitem__(self, index, value):
        if not 0 <= value < 2 ** (8 * self.size):
            raise OverflowError(f"stores {value}")
        self.items[index] = value


BUFFERS = [memoryview(b"")] * 64  # the latest, which are more than one call of `run` has
_latest = itertools.count()


def _address(buffer):
    place = next(_latest) % len(BUFFERS)
    BUFFERS[place] = memoryview(buffer).cast("B")
    return place << 20


class Pointer16(Pointer):
    size = 2


class Pointer32(Pointer):
    size = 4


def _number(value):
    return value.address if isinstance(value, Pointer) else Word(value)


def _viper(function):
    kinds = [function.__annotations__[name] for name in function.__code__.co_varnames[: function.__code__.co_argcount]]

    def call(*arguments):
        return function(*[kind(argument) for kind, argument in zip(kinds, arguments, strict=True)])

    return call


def _load(name, path, **modules):
    """The module at `path`, that imports `modules` instead of what goes by their names. It is imported by nobody else."""
    module = module_from_spec(spec_from_file_location(name, ROOT / path))
    importer = builtins.__import__

    def substitute(wanted, *arguments):
        return modules[wanted] if wanted in modules else importer(wanted, *arguments)

    names = {"ptr8": Pointer, "ptr16": Pointer16, "ptr32": Pointer32, "int": _number} if name == "p256_field" else {}
    vars(module).update(names, __builtins__=vars(builtins) | {"__import__": substitute})
    module.__spec__.loader.exec_module(module)
    return module


def load_modules():
    """p256_field and p256_comb."""
    micropython = types.SimpleNamespace(viper=_viper, const=lambda value: value)
    field = _load("p256_field", "native/p256_field.py", micropython=micropython)
    return field, _load("p256_comb", "firmware/srup/p256_comb.py", micropython=micropython, p256_field=field)
