import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../chip.mjs";
import { RAM, benchChip, call, chipWith, lookUp } from "./bench_chip.mjs";

const memory = (chip, offset, size) => chip.rp2040.sram.subarray(offset, offset + size);

test("the header is that of a version 3 ROM", () => {
    const chip = benchChip();
    assert.equal(chip.rp2040.readUint32(0x10), 0x0301754d);
});

test("the ROM's own look-up finds what is in its tables, and 0 for what is not", () => {
    const chip = benchChip();
    const { rp2040 } = chip;
    const search = (code) => call(chip, rp2040.readUint16(0x18), rp2040.readUint16(0x14), code.charCodeAt(0) | (code.charCodeAt(1) << 8))[0];
    for (const code of ["P3", "L3", "MC", "RE", "RP"]) assert.equal(search(code), lookUp(chip, code));
    assert.equal(search("ZZ"), 0);
});

test("counting and reversing bits", () => {
    const chip = benchChip();
    const rom = (code, value) => call(chip, lookUp(chip, code), value)[0];
    for (let bit = 0; bit < 32; bit++) {
        const one = (1 << bit) >>> 0;
        assert.equal(rom("L3", one), 31 - bit);
        assert.equal(rom("L3", (one | (one - 1)) >>> 0), 31 - bit);
        assert.equal(rom("T3", one), bit);
        assert.equal(rom("T3", -one), bit);
        assert.equal(rom("R3", one), (1 << (31 - bit)) >>> 0);
    }
    assert.equal(rom("L3", 0), 32);
    assert.equal(rom("T3", 0), 32);
    assert.equal(rom("P3", 0xffffffff), 32);
    assert.equal(rom("P3", 0x12345678), 13);
    assert.equal(rom("R3", 0x12345678), 0x1e6a2c48);
});

for (const code of ["MS", "S4"]) {
    test(`memset ${code} writes these bytes and no others, and returns its pointer`, () => {
        const chip = benchChip();
        for (let start = 0; start < 4; start++) {
            for (const size of [0, 1, 3, 4, 5, 15, 16, 33]) {
                memory(chip, 0, 64).fill(0x11);
                assert.equal(call(chip, lookUp(chip, code), RAM + 8 + start, 0x3a5, size)[0], RAM + 8 + start);
                const expected = new Uint8Array(64).fill(0x11).fill(0xa5, 8 + start, 8 + start + size);
                assert.deepEqual(memory(chip, 0, 64), expected);
            }
        }
    });
}

for (const code of ["MC", "C4"]) {
    test(`memcpy ${code} copies these bytes and no others, and keeps the caller's registers`, () => {
        const chip = benchChip();
        for (let to = 0; to < 4; to++) {
            for (let from = 0; from < 4; from++) {
                for (const size of [0, 1, 4, 15, 16, 17, 40, 67]) {
                    const source = Uint8Array.from({ length: 80 }, (_, index) => index + 1);
                    memory(chip, 0x100, 80).set(source);
                    memory(chip, 0, 96).fill(0xee);
                    chip.core.registers.set([4, 5, 6, 7], 4);
                    const result = call(chip, lookUp(chip, code), RAM + 8 + to, RAM + 0x100 + from, size);
                    assert.equal(result[0], RAM + 8 + to);
                    assert.deepEqual([...chip.core.registers.subarray(4, 8)], [4, 5, 6, 7]);
                    const expected = new Uint8Array(96).fill(0xee);
                    expected.set(source.subarray(from, from + size), 8 + to);
                    assert.deepEqual(memory(chip, 0, 96), expected);
                }
            }
        }
    });
}

test("flash functions erase and program, and take their time", () => {
    const chip = benchChip();
    const before = chip.clock.nanos;
    chip.flash.bytes.fill(0);
    call(chip, lookUp(chip, "RE"), 0x1000, 0x1000, 65536, 0xd8);
    memory(chip, 0, 256).fill(0x5a);
    call(chip, lookUp(chip, "RP"), 0x1100, RAM, 256);
    assert.deepEqual([0xfff, 0x1000, 0x10ff, 0x1100, 0x11ff, 0x1200, 0x1fff, 0x2000].map((at) => chip.flash.bytes[at]),
        [0, 0xff, 0xff, 0x5a, 0x5a, 0xff, 0xff, 0]);
    const milliseconds = (chip.clock.nanos - before) / 1e6;
    assert.ok(milliseconds > 45.4 && milliseconds < 45.41, `${milliseconds} ms`);
    assert.equal(chip.rp2040.readUint32(0x10001100), 0x5a5a5a5a);
});

test("a reset starts the vector table that is in flash", () => {
    const chip = chipWith("movs r0, #42\n forever:\n b forever");
    chip.run(100);
    assert.equal(chip.core.registers[0], 42);
    assert.equal(chip.core.SP, 0x20042000);
    assert.equal(chip.core.VTOR, 0x10000100);
});

test("a breakpoint in the firmware is a fault, not a call of the ROM", () => {
    const chip = chipWith("bkpt #3");
    assert.throws(() => chip.run(100), (error) => error instanceof Fault && /breakpoint 3/.test(error.message));
});

test("an unaligned access is a fault that shows the registers", () => {
    const chip = chipWith("movs r1, #2\n ldr r0, [r1, #0]");
    assert.throws(() => chip.run(100), (error) => error instanceof Fault && /r1=00000002/.test(error.message));
});
