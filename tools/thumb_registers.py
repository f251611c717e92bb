"""Registers for straight-line code of a Cortex-M0+, in Thumb: a small compiler for tools/p256_thumb.py.

    code = Code([0, 3], slot=0)            # r0 and r3 hold something
    low, high = code.load(code.inputs[0], 2)
    code.store(code.inputs[3], [code.two("add", low, high)])
    code.compile().lines                   # [("ldm", 0, (1, 2)), ("add", 0, 1, 2), ("stm", 3, (0,))]

Values are written down first, an instruction for each; then `compile` finds registers for them, in one pass.
Arithmetic is possible in r0 to r7 only. A value that has to leave them goes to one of the high registers (1 cycle
there, 1 back) or to a slot of the stack (2 and 2): the one that leaves is the one that is needed last (Belady), and
where the high registers don't suffice, the ones that are needed last go to the stack, too.

Most instructions overwrite an operand. The operand is copied before if it is needed later, and that is where a value
that is in a high register comes back for nothing.

Flags. Adding, subtracting and shifting set the carry. Moves, loads, stores, products, uxth and exclusive-or leave it,
so what the compiler puts in between does no harm: the order of the instructions that set and use the carry is the
writer's.
"""

from typing import Any, Self

LOW, HIGH = range(8), (8, 9, 10, 11, 12, 14)
IN_PLACE = {"adc", "sbc", "mul", "and_", "orr", "eor"}
COMMUTATIVE = {"adc", "mul", "and_", "orr", "eor"}
NEVER = 1 << 30
NOWHERE = -1

Line = tuple[Any, ...]  # an operation's name, numbers of registers, an immediate operand


class Value:
    """A word. Where it is now: in a low register, a high one, a slot; in several at a time, or in none yet."""

    def __init__(self, constant: int | None = None) -> None:
        self.constant = constant
        self.uses: list[int] = []
        self.leave()

    def leave(self) -> None:
        self.low = self.high = self.slot = NOWHERE
        self.parked = NOWHERE  # the step at which it went to its high register

    @property
    def elsewhere(self) -> bool:
        return self.high >= 0 or self.slot >= 0 or self.constant is not None


class _Again(Exception):
    """A value should have gone to the stack, and not to a high register."""


class Code:
    """Instructions being written. inputs: registers that hold values at the beginning; slot: the first for the
    compiler."""

    def __init__(self, inputs: list[int], slot: int) -> None:
        self.inputs = {register: Value() for register in inputs}
        self._steps: list[tuple[str, list[Value], list[Value], int]] = []
        self._first_slot = slot

    # Writing ----------------------------------------------------------------------------------------------------------

    def _write(self, name: str, ins: list[Value], outs: int = 1, number: int = 0) -> list[Value]:
        made = [Value() for _ in range(outs)]
        for value in ins:
            value.uses.append(len(self._steps))
        self._steps.append((name, ins, made, number))
        return list(made)

    def two(self, name: str, a: Value, b: Value) -> Value:
        """add, sub, adc, sbc, mul, and_, orr or eor."""
        return self._write(name, [a, b])[0]

    def chain(self, name: str, a: list[Value], b: list[Value], begin: bool = True) -> list[Value]:
        """Numbers of several words: add (add, adc, adc ...) or sub. begin: False to go on with the carry as it is."""
        carrying = {"add": "adc", "sub": "sbc"}[name]
        return [self.two(carrying if i or not begin else name, x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]

    def shift(self, name: str, a: Value, bits: int) -> Value:
        """lsl, lsr or asr."""
        return self._write(name, [a], 1, bits)[0]

    def uxth(self, a: Value) -> Value:
        return self._write("uxth", [a])[0]

    def neg(self, a: Value) -> Value:
        return self._write("neg", [a])[0]

    def carry(self) -> Value:
        """The carry as a number, 1 or 0."""
        return self._write("carry", [])[0]

    def set_carry(self, carry: Value) -> None:
        """What `carry` has made becomes the carry again; so does the lowest bit of anything."""
        self.shift("lsr", carry, 1)

    def borrow(self) -> Value:
        """-1 if a subtraction has left a borrow, else 0."""
        return self._write("borrow", [])[0]

    def set_borrow(self, borrow: Value) -> None:
        """What `borrow` has made becomes the borrow again."""
        self.neg(borrow)

    def load(self, pointer: Value, count: int) -> list[Value]:
        """The words at a pointer, which moves on behind them."""
        return self._write("ldm", [pointer], count)

    def store(self, pointer: Value, values: list[Value]) -> None:
        for i in range(0, len(values), 4):  # more at a time might leave no register free
            self._write("stm", [pointer, *values[i : i + 4]], 0)

    def address(self, slot: int) -> Value:
        return self._write("add_sp", [], 1, slot)[0]

    def read(self, slot: int) -> Value:
        return self._write("ldr_sp", [], 1, slot)[0]

    def write(self, slot: int, value: Value) -> None:
        self._write("str_sp", [value], 0, slot)

    def park(self, values: list[Value], slot: int) -> None:
        """Keep them on the stack, from that slot on, in whatever order is quickest."""
        self._write("park", list(values), 0, slot)

    def fetch(self, values: list[Value]) -> None:
        """Bring parked ones back, neighbours at once."""
        self._write("fetch", list(values), 0)

    # Compiling --------------------------------------------------------------------------------------------------------

    def compile(self) -> Self:
        """Make `lines`, `cycles` (of the lines, taken once) and `slots` (behind the last one in use)."""
        self._to_stack: set[tuple[int, int]] = set()  # (step, number of the value) where a high register is not for it
        while True:
            self._begin()
            try:
                for at, (name, ins, outs, number) in enumerate(self._steps):
                    self._at = at
                    do = "in_place" if name in IN_PLACE else "plain" if name in PLAIN else name
                    getattr(self, f"_do_{do}")(name, ins, outs, number)
                    for value in ins + outs:
                        if self._is_dead(value):
                            self._forget(value)
                return self
            except _Again:
                continue

    def _begin(self) -> None:
        for _, ins, outs, _ in self._steps:
            for value in ins + outs:
                value.leave()
        self.lines: list[Line] = []
        self.cycles = 0
        self.slots = self._first_slot
        self._low: list[Value | None] = [None] * 8
        self._high: dict[int, Value | None] = dict.fromkeys(HIGH)
        self._slot: dict[int, Value] = {}
        for register, value in self.inputs.items():
            self._take(value, register)

    def _emit(self, *line: object, cycles: int = 1) -> None:
        self.lines.append(line)
        self.cycles += cycles

    def _next_use(self, value: Value, after: int) -> int:
        return next((use for use in value.uses if use > after), NEVER)

    def _is_dead(self, value: Value) -> bool:
        return self._next_use(value, self._at) == NEVER

    def _take(self, value: Value, register: int) -> int:
        self._low[register] = value
        value.low = register
        return register

    def _leave_low(self, value: Value) -> None:
        if value.low >= 0:
            self._low[value.low] = None
            value.low = NOWHERE

    def _only_in_low(self, value: Value) -> None:
        """It has changed: other copies are none any more."""
        if value.high >= 0:
            self._high[value.high] = None
        if value.slot >= 0:
            del self._slot[value.slot]
        value.high = value.slot = NOWHERE

    def _forget(self, value: Value) -> None:
        self._leave_low(value)
        self._only_in_low(value)

    def _free(self, pinned: list[Value]) -> int:
        """A low register, after its value has left if need be; not one of those pinned."""
        for register in LOW:
            if self._low[register] is None:
                return register

        def distance(value: Value) -> int:  # to leave costs nothing for what is elsewhere
            return (self._next_use(value, self._at) - self._at) * (1 + value.elsewhere)

        value = max((v for v in self._low if v and v not in pinned), key=distance)
        register = value.low
        if not value.elsewhere:
            self._save(value)
        self._leave_low(value)
        return register

    def _save(self, value: Value) -> None:
        high = NOWHERE if (self._at, id(value)) in self._to_stack else self._free_high(value)
        if high >= 0:
            value.high, value.parked = high, self._at
            self._high[high] = value
            self._emit("mov", high, value.low)
        else:
            slot = next(slot for slot in range(self._first_slot, NEVER) if slot not in self._slot)
            self._to_slot(value, slot)
            self._emit("str_sp", value.low, slot, cycles=2)

    def _to_slot(self, value: Value, slot: int) -> None:
        value.slot = slot
        self._slot[slot] = value
        self.slots = max(self.slots, slot + 1)

    def _free_high(self, value: Value) -> int:
        """A high register for it, or NOWHERE if it is the one to go to the stack."""
        for high, other in self._high.items():
            if not other:
                return high
        others = filter(None, self._high.values())
        last = max(others, key=lambda other: (other.low >= 0, self._next_use(other, self._at - 1)))
        if last.low >= 0:
            high, last.high = last.high, NOWHERE
            return high
        if self._next_use(last, self._at - 1) > self._next_use(value, self._at):
            self._to_stack.add((last.parked, id(last)))
            raise _Again
        return NOWHERE

    def _copy(self, value: Value, register: int) -> None:
        if value.low >= 0:
            self._emit("mov", register, value.low)
        elif value.constant is not None:
            self._emit("mov_number", register, value.constant)
        elif value.high >= 0:
            self._emit("mov", register, value.high)
        else:
            self._emit("ldr_sp", register, value.slot, cycles=2)

    def _need(self, value: Value, pinned: list[Value]) -> int:
        """The low register that it is in, or is brought to."""
        if value.low < 0:
            register = self._free(pinned)
            self._copy(value, register)
            self._take(value, register)
        return value.low

    def _do_plain(self, name: str, ins: list[Value], outs: list[Value], number: int) -> None:
        """The result may go to any register."""
        registers = [self._need(value, ins) for value in ins]
        for value in ins:
            if self._is_dead(value):
                self._forget(value)
        result = self._take(outs[0], self._free(ins))
        self._emit(name, result, *registers, *[number] * (name in SHIFTS))

    def _do_in_place(self, name: str, ins: list[Value], outs: list[Value], _: int) -> None:
        """The result goes to the register of the first operand, or of either."""
        a, b = ins
        if name in COMMUTATIVE and self._cheap_to_overwrite(b) > self._cheap_to_overwrite(a):
            a, b = b, a
        other = self._need(b, ins)
        if a.low >= 0 and (self._is_dead(a) or a.elsewhere):
            register = a.low
            self._leave_low(a)
        else:
            register = self._free(ins)
            self._copy(a, register)
        self._take(outs[0], register)
        self._emit(name, register, register if a is b else other)

    def _cheap_to_overwrite(self, value: Value) -> tuple[bool, bool, bool]:
        dead, here = self._is_dead(value), value.low >= 0
        return here and dead, here and value.elsewhere, not here and not (dead and value.constant is None)

    def _do_carry(self, _: str, __: list[Value], outs: list[Value], ___: int) -> None:
        register = self._take(outs[0], self._free([]))
        self._emit("mov_number", register, 0)
        self._emit("adc", register, register)

    def _do_borrow(self, _: str, __: list[Value], outs: list[Value], ___: int) -> None:
        register = self._take(outs[0], self._free([]))
        self._emit("sbc", register, register)

    def _do_add_sp(self, _: str, __: list[Value], outs: list[Value], slot: int) -> None:
        self._emit("add_sp", self._take(outs[0], self._free([])), slot)

    def _do_ldr_sp(self, _: str, __: list[Value], outs: list[Value], slot: int) -> None:
        self._emit("ldr_sp", self._take(outs[0], self._free([])), slot, cycles=2)

    def _do_str_sp(self, _: str, ins: list[Value], __: list[Value], slot: int) -> None:
        self._emit("str_sp", self._need(ins[0], ins), slot, cycles=2)

    def _registers(self, count: int, pinned: list[Value]) -> list[int]:
        """Some low registers, in their order, for what is loaded at once."""
        taken: list[int] = []
        while len(taken) < count:
            register = self._free(pinned)
            self._low[register] = pinned[0]  # so that it is not found again
            taken.append(register)
        for register in taken:
            self._low[register] = None
        return sorted(taken)

    def _do_ldm(self, _: str, ins: list[Value], outs: list[Value], __: int) -> None:
        pointer = self._need(ins[0], ins)
        registers = self._registers(len(outs), ins + outs)
        for value, register in zip(outs, registers, strict=True):
            self._take(value, register)
        self._emit("ldm", pointer, tuple(registers), cycles=1 + len(outs))
        self._only_in_low(ins[0])

    def _do_stm(self, _: str, ins: list[Value], __: list[Value], ___: int) -> None:
        pointer, *values = ins
        base = self._need(pointer, ins)
        run: list[int] = []
        for i, value in enumerate(values):
            if value.low < 0:
                self._need_behind(value, run, [pointer, *values[i:], *values[:i]])
            if run and value.low < run[-1]:
                self._store_run(base, run)
            run.append(value.low)
        self._store_run(base, run)
        self._only_in_low(pointer)

    def _need_behind(self, value: Value, run: list[int], pinned: list[Value]) -> None:
        """Bring it to a low register, best to one above those of the run."""
        free = [register for register in LOW if self._low[register] is None]
        above = [register for register in free if not run or register > run[-1]]
        register = (above or free or [self._free(pinned)])[0]
        self._copy(value, register)
        self._take(value, register)

    def _store_run(self, base: int, run: list[int]) -> None:
        if run:
            self._emit("stm", base, tuple(run), cycles=1 + len(run))
            run.clear()

    def _do_park(self, _: str, ins: list[Value], __: list[Value], slot: int) -> None:
        base = self._free(ins)
        pointer = Value()
        self._take(pointer, base)
        self._emit("add_sp", base, slot)
        waiting = list(ins)
        while waiting:
            for value in waiting:
                if value.low < 0 and (None in self._low or waiting[0] is value):
                    self._need(value, [pointer])
            here = sorted((v for v in waiting if v.low >= 0), key=lambda v: v.low)
            self._store_run(base, [v.low for v in here])
            for value in here:
                self._only_in_low(value)
                self._to_slot(value, slot)
                slot += 1
                waiting.remove(value)
        self._leave_low(pointer)

    def _do_fetch(self, _: str, ins: list[Value], __: list[Value], ___: int) -> None:
        missing = sorted((v for v in ins if v.low < 0 and v.high < 0), key=lambda v: v.slot)
        while missing:
            run = [missing.pop(0)]
            while missing and missing[0].slot == run[-1].slot + 1:
                run.append(missing.pop(0))
            if len(run) == 1:
                self._need(run[0], ins)
                continue
            registers = self._registers(len(run), ins)
            self._emit("add_sp", registers[-1], run[0].slot)
            self._emit("ldm", registers[-1], tuple(registers), cycles=1 + len(run))
            for value, register in zip(run, registers, strict=True):
                self._take(value, register)


SHIFTS = {"lsl", "lsr", "asr"}
PLAIN = {"add", "sub", "uxth", "neg"} | SHIFTS
