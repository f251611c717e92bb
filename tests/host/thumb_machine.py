"""What a Cortex-M0+ does with the lines that tools/thumb_registers.py makes: registers, memory and the carry.

Also `tool`, to import the tools: some have the name of the module that they write.
"""

import importlib.util
import sys
from types import ModuleType

from tests.unit.on_micropython import ROOT

WORD = 0xFFFFFFFF
SP = 0x20040000


def tool(name: str) -> ModuleType:
    """tools/<name>.py, imported as tool_<name>."""
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sys.modules["thumb_registers"] = tool("thumb_registers")
generator = tool("p256_thumb")


class Machine:
    """Memory is a dictionary from addresses to words; what was never written can't be read, in memory or registers."""

    def __init__(self) -> None:
        self.memory: dict[int, int] = {}
        self.registers: dict[int, int] = {}
        self.carry = 0

    def put(self, address: int, number: int, words: int) -> None:
        for i in range(words):
            self.memory[address + 4 * i] = number >> 32 * i & WORD

    def get(self, address: int, words: int) -> int:
        return sum(self.memory[address + 4 * i] << 32 * i for i in range(words))

    def run(self, lines: list[tuple]) -> None:
        """Lines without jumps."""
        for name, *x in lines:
            getattr(self, f"_{name}")(*x)

    def _sum(self, to: int, a: int, b: int, carry: int) -> None:
        total = a + b + carry
        self.carry, self.registers[to] = total >> 32, total & WORD

    def _add(self, to: int, a: int, b: int) -> None:
        self._sum(to, self.registers[a], self.registers[b], 0)

    def _sub(self, to: int, a: int, b: int) -> None:
        self._sum(to, self.registers[a], self.registers[b] ^ WORD, 1)

    def _adc(self, to: int, a: int) -> None:
        self._sum(to, self.registers[to], self.registers[a], self.carry)

    def _sbc(self, to: int, a: int) -> None:
        known = (
            self.registers.setdefault(to, 0) if to == a else self.registers[to]
        )  # of itself: what it was doesn't matter
        self._sum(to, known, self.registers[a] ^ WORD, self.carry)

    def _neg(self, to: int, a: int) -> None:
        self._sum(to, 0, self.registers[a] ^ WORD, 1)

    def _mul(self, to: int, a: int) -> None:
        self.registers[to] = self.registers[to] * self.registers[a] & WORD

    def _eor(self, to: int, a: int) -> None:
        self.registers[to] ^= self.registers[a]

    def _and_(self, to: int, a: int) -> None:
        self.registers[to] &= self.registers[a]

    def _orr(self, to: int, a: int) -> None:
        self.registers[to] |= self.registers[a]

    def _uxth(self, to: int, a: int) -> None:
        self.registers[to] = self.registers[a] & 0xFFFF

    def _lsl(self, to: int, a: int, bits: int) -> None:
        number = self.registers[a] << bits
        self.carry, self.registers[to] = number >> 32 & 1, number & WORD

    def _lsr(self, to: int, a: int, bits: int) -> None:
        number = self.registers[a]
        self.carry, self.registers[to] = number >> bits - 1 & 1, number >> bits

    def _asr(self, to: int, a: int, bits: int) -> None:
        number = self.registers[a]
        self.carry = number >> bits - 1 & 1
        self.registers[to] = (number - (number >> 31 << 32)) >> bits & WORD

    def _mov(self, to: int, a: int) -> None:
        self.registers[to] = self.registers[a]

    def _mov_number(self, to: int, number: int) -> None:
        self.registers[to] = number

    def _add_sp(self, to: int, slot: int) -> None:
        self.registers[to] = SP + 4 * slot

    def _ldr_sp(self, to: int, slot: int) -> None:
        self.registers[to] = self.memory[SP + 4 * slot]

    def _str_sp(self, a: int, slot: int) -> None:
        self.memory[SP + 4 * slot] = self.registers[a]

    def _ldm(self, base: int, registers: tuple[int, ...]) -> None:
        start = self.registers[base]
        for i, register in enumerate(sorted(registers)):
            self.registers[register] = self.memory[start + 4 * i]
        if base not in registers:
            self.registers[base] = start + 4 * len(registers)

    def _stm(self, base: int, registers: tuple[int, ...]) -> None:
        for register in sorted(registers):
            self.memory[self.registers[base]] = self.registers[register]
            self.registers[base] += 4
