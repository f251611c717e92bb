"""MicroPython's viper, as far as native/p256_field.py and p256_numbers.py use it, in Python that checks what viper does not.

A number is a Word: arithmetic that leaves [-2^31, 2^31) raises OverflowError, so what passes is right in words of 32 bits
and in larger ones. A load is never negative, and neither may be what is stored: on 64-bit machines the sign would be lost.
"""

import builtins
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
        address = buffer.address if isinstance(buffer, Pointer) else buffer
        self.address = Word(address if isinstance(address, int) else _address(address))
        address = self.address
        self.items = BUFFERS[address >> 20][address & 0xFFFFF :].cast({1: "B", 2: "H", 4: "I"}[self.size])

    def __getitem__(self, index):
        return Word(self.items[index])

    def __setitem__(self, index, value):
        if not 0 <= value < 2 ** (8 * self.size):
            raise OverflowError(f"stores {value}")
        self.items[index] = value


BUFFERS = [memoryview(b"")] * 64
_recent = [(place, None) for place in range(64)]  # whose each is; the one that was longest not in use comes first


def _address(buffer):
    found = next((entry for entry in _recent if entry[1] is buffer), _recent[0])
    _recent.remove(found)
    place = found[0]
    _recent.append((place, buffer))
    BUFFERS[place] = memoryview(buffer).cast("B")
    return place << 20


class Pointer16(Pointer):
    size = 2


class Pointer32(Pointer):
    size = 4


def _number(value):
    return value.address if isinstance(value, Pointer) else Word(value)


def _viper(function):
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    kinds = [function.__annotations__.get(name, lambda value: value) for name in names]

    def call(*arguments):
        result = function(*[kind(argument) for kind, argument in zip(kinds, arguments, strict=True)])
        return int(result) if isinstance(result, Word) else result

    return call


_number.from_bytes = int.from_bytes  # type: ignore[attr-defined]  it takes the place of `int`
NATIVE = {"ptr8": Pointer, "ptr16": Pointer16, "ptr32": Pointer32, "int": _number}
PLACES = {name: f"native/{name}.py" for name in ("p256_field", "p256_numbers")}
PLACES |= {f"srup.p256_{name}": f"firmware/srup/p256_{name}.py" for name in ("kernel", "comb", "formulas", "build")}


def load_modules(*wanted):
    """The modules of these names in PLACES, which import each other so, and are imported by nobody else."""
    loaded = {"micropython": types.SimpleNamespace(viper=_viper, const=lambda value: value)}
    importer = builtins.__import__

    def substitute(name, *arguments):
        if name == "p256_thumb":
            raise ImportError(name)
        if name in PLACES and name not in loaded:
            loaded[name] = module = module_from_spec(spec_from_file_location(name, ROOT / PLACES[name]))
            vars(module).update(__builtins__=vars(builtins) | {"__import__": substitute})
            vars(module).update(NATIVE if PLACES[name].startswith("native") else {})
            module.__spec__.loader.exec_module(module)
        return loaded[name] if name in loaded else importer(name, *arguments)

    return [substitute(name) for name in wanted]
