import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../oscillator.mjs";
import { RAM, benchChip } from "./bench_chip.mjs";

console.warn = () => {}; // the package's, about registers that are not there

const CODE = RAM + 0x8000;
const CASES_EACH = 300; // of every value of the opcode's upper byte

const BLX_LR = 0x47f0; // the package overwrites lr before it reads it

const random = seededRandom(7);
// A multiplicative mix: the oscillator's bits are fine one by one, and related in words.
const word = () => Math.imul(random() ^ (random() << 13), 0x9e3779b1) >>> 0;
const choose = (values) => values[word() % values.length];

// Values at which flags turn; for loads and stores, offsets and addresses, of peripherals, too, which have to be aligned.
const value = () => choose([0, 1, 2, 31, 32, 33, 0x7fffffff, 0x80000000, 0xffffffff, word(), word() & 0xff, CODE | 1]);
const address = () => choose([0, 4, 0x7c, 0xfffffffc, RAM + 0x100, RAM + 0x4000 + (word() & 0xfc), RAM + 0x41ff0, 0x10000200, 0x40000000,
    0xd0000060, 0xe000ed08]);
const isTransfer = (opcode) => opcode >> 12 >= 4 && opcode >> 12 <= 12 && opcode >> 10 !== 0b010000;

function state(chip) {
    const { core } = chip;
    return { registers: [...core.registers], flags: [core.N, core.Z, core.C, core.V], cycles: core.cycles, waiting: core.waiting };
}

// One instruction on each chip from the same state; null where the chip stops over it.
function step(chip, registers, flags, opcodes) {
    const { core, rp2040 } = chip;
    core.registers.set(registers);
    [core.N, core.Z, core.C, core.V] = flags;
    core.cycles = 0;
    core.waiting = false;
    core.PM = false;
    opcodes.forEach((opcode, index) => rp2040.writeUint16(CODE + 2 * index, opcode));
    try {
        core.executeInstruction();
    } catch {
        return null;
    }
    return state(chip);
}

for (const half of [0, 1]) {
    test(`what the fast core executes is what the package executes, opcodes ${half ? "80 to ff" : "00 to 7f"}`, () => {
        const flash = () => Uint8Array.from({ length: 256 }, (_, index) => index * 7);
        const [fast, slow] = [false, true].map((isSlow) => benchChip({ slow: isSlow }));
        for (const chip of [fast, slow]) chip.flash.bytes.set(flash(), 0x200);
        let executed = 0;
        for (let upper = half * 128; upper < half * 128 + 128; upper++) {
            for (let n = 0; n < CASES_EACH; n++) {
                const opcodes = [(upper << 8) | (word() & 0xff), word() & 0xffff];
                if (opcodes[0] === BLX_LR) continue;
                const registers = Array.from({ length: 16 }, isTransfer(opcodes[0]) ? address : value);
                registers[13] = RAM + 0x20000 + 4 * (word() & 0xff);
                registers[15] = CODE;
                const flags = Array.from({ length: 4 }, () => (word() & 1) === 1);
                const results = [fast, slow].map((chip) => step(chip, registers, flags, opcodes));
                const what = () => `${opcodes.map((opcode) => opcode.toString(16))} on ${registers.map((each) => each.toString(16))}`;
                assert.deepEqual(results[0], results[1], what());
                executed += results[0] !== null;
            }
        }
        assert.ok(executed > 128 * CASES_EACH * 0.5, `${executed} executed`);
        assert.deepEqual(fast.rp2040.sram, slow.rp2040.sram);
        assert.deepEqual(fast.flash.bytes.subarray(0, 4096), slow.flash.bytes.subarray(0, 4096));
    });
}
