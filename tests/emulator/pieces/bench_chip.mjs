// A chip on the test bench: no firmware but a few assembled lines, its ROM functions called from here.

import { Chip } from "../chip.mjs";
import { NorFlash } from "../flash.mjs";
import { assemble } from "../thumb.mjs";

export const RAM = 0x20000000;
const RETURN = RAM + 0x40000; // where calls return to; nothing is executed there

export function benchChip(options = {}) {
    return new Chip({ flash: new NorFlash(2 << 20), uniqueId: new Uint8Array(8), random: () => 0, ...options });
}

// The address in the ROM's table of functions ("func") or of data ("data") for a two-letter code, 0 if it is not there.
export function lookUp(chip, code, table = "func") {
    let at = chip.rp2040.readUint16(table === "func" ? 0x14 : 0x16);
    const wanted = code.charCodeAt(0) | (code.charCodeAt(1) << 8);
    for (; chip.rp2040.readUint16(at); at += 4) {
        if (chip.rp2040.readUint16(at) === wanted) return chip.rp2040.readUint16(at + 2);
    }
    return 0;
}

// Returns r0-r3 after the function at `address` has returned.
export function call(chip, address, ...values) {
    const { core } = chip;
    core.registers.set(values.map((value) => value >>> 0));
    core.SP = RAM + 0x42000;
    core.LR = RETURN | 1;
    core.PC = address & ~1;
    while (core.PC !== RETURN) core.executeInstruction();
    return [...core.registers.subarray(0, 4)];
}

// A chip that has this program in flash, reset handler first, and is switched on.
export function chipWith(program, options = {}) {
    const { bytes } = assemble(`.word 0x20042000\n.word start+1\n start:\n${program}`, 0x10000100);
    const flash = options.flash ?? new NorFlash(2 << 20);
    flash.install(0x100 & ~0xfff, Buffer.concat([Buffer.alloc(0x100), Buffer.from(bytes)]));
    return benchChip({ flash, ...options });
}
