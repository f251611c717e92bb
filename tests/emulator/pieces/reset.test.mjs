import assert from "node:assert/strict";
import { test } from "node:test";
import { NorFlash } from "../flash.mjs";
import { Pico } from "../pico.mjs";
import { assemble } from "../thumb.mjs";

const WATCHDOG = "watchdog:\n .word 0x40058000";

function picoWith(program, seed = 1) {
    const { bytes } = assemble(`.word 0x20042000\n.word start+1\nstart:\n${program}`, 0x10000100);
    const flash = new NorFlash(2 << 20);
    flash.install(0, Buffer.concat([Buffer.alloc(0x100), Buffer.from(bytes)]));
    return new Pico({ flash, seed });
}

test("the watchdog resets the chip when its time is up, once, and says so afterwards", () => {
    // Load 2000 (1 ms: it counts twice a microsecond), enable; after a reset, sleep instead.
    const pico = picoWith(`
        ldr r0, watchdog
        ldr r2, [r0, #8]        ; reason
        cmp r2, #0
        bne sleep
        movs r1, #125
        lsls r1, r1, #4
        str r1, [r0, #4]        ; load
        movs r1, #77
        str r1, [r0, #12]       ; scratch 0
        movs r1, #1
        lsls r1, r1, #30
        str r1, [r0, #0]        ; enable
    forever:
        b forever
    sleep:
        ldr r3, [r0, #12]
        wfi
        b sleep
        .align 4
        ${WATCHDOG}`);
    const resets = [];
    pico.onReset = (reset) => resets.push(String(reset));
    while (!pico.isAsleep) pico.run(pico.cycles + 10_000);
    assert.deepEqual(resets, ["watchdog"]);
    assert.ok(Math.abs(pico.cycles - 125_000) < 200, `${pico.cycles} cycles`);
    assert.deepEqual([...pico.chip.core.registers.subarray(2, 4)], [1, 77]);
});

test("the reset button starts the program again and leaves no reason", () => {
    const pico = picoWith(`
        ldr r0, watchdog
        ldr r2, [r0, #8]
        adds r4, #1
        wfi
        .align 4
        ${WATCHDOG}`);
    pico.run(1000);
    const before = pico.cycles;
    pico.reset();
    assert.equal(pico.cycles, before);
    pico.run(before + 1000);
    assert.deepEqual([pico.resets, pico.chip.core.registers[2], pico.chip.core.registers[4]], [1, 0, 1]);
});

test("the device's view of the cycle counter goes on through resets", () => {
    const pico = picoWith(`
        ldr r0, counter
        ldr r1, [r0, #0]
        wfi
        .align 4
    counter:
        .word 0x40070000`);
    pico.run(1000);
    const first = pico.chip.core.registers[1];
    assert.ok(first > 0 && first <= pico.cycles);
    const before = pico.cycles;
    pico.reset();
    pico.run(before + 1000);
    assert.equal(pico.chip.core.registers[1], before + first);
});

test("a seed makes a board: the same one every time, another one for another seed", () => {
    const [first, again, other] = [1, 1, 2].map((seed) => picoWith("wfi", seed).uniqueId);
    assert.deepEqual(first, again);
    assert.notDeepEqual(first, other);
});
