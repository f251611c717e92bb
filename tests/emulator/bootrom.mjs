// Our own minimal RP2040 boot ROM: what pico-sdk looks up in it, and nothing else.
//
// buildBootrom() -> { words: Uint32Array of 16 KiB, calls: [HostCall] }. Memory and bit functions are Thumb code and
// cost what their instructions cost. Flash and floating point are host calls: the ROM executes `bkpt #n; bx lr`, and
// the emulator does the work in JavaScript (see chip.mjs) and charges its time. Only a bkpt inside the ROM is such a
// call, so no stray write of the firmware can reach it.
//
// Layout and codes: RP2040 datasheet 2.8.3 and pico-sdk, pico/bootrom_constants.h. A reset starts the vector table at
// 0x10000100 straight away: the flash needs no second-stage boot loader to be readable here.

import { BITS, MEMORY, START } from "./bootrom_code.mjs";
import { DOUBLE, SINGLE, TABLE_SIZE, floatFunctions } from "./softfloat.mjs";
import { assemble } from "./thumb.mjs";

export const SIZE = 16 * 1024;

// Two-letter code -> label
const FUNCTION_TABLE = {
    P3: "popcount32", R3: "reverse32", L3: "clz32", T3: "ctz32",
    MS: "memset", S4: "memset", MC: "memcpy", C4: "memcpy",
    IF: "nothing", EX: "nothing", FC: "nothing", CX: "nothing",
    RE: "flash_range_erase", RP: "flash_range_program", UB: "reset_usb_boot",
};
const DATA_TABLE = { SF: "single_table", SD: "double_table", CR: "copyright" };

export function buildBootrom() {
    const single = floatFunctions(SINGLE);
    const double = floatFunctions(DOUBLE);
    const calls = [
        { name: "fault", run: (registers, chip) => chip.fault("exception before the firmware had a vector table") },
        { name: "missing", run: (registers, chip) => chip.fault("call of a boot ROM function that is not there") },
        { name: "reset_usb_boot", run: (registers, chip) => chip.usbBoot() },
        { name: "flash_range_erase", run: ([at, size], chip) => chip.eraseFlash(at, size) },
        { name: "flash_range_program", run: ([at, from, size], chip) => chip.programFlash(at, from, size) },
        ...single,
        ...double,
    ];
    const source = [
        START,
        MEMORY,
        BITS,
        ...calls.map(({ name }, number) => `${name}:\n bkpt #${number}\n bx lr`),
        codeTable("functions", FUNCTION_TABLE, 1),
        codeTable("data", DATA_TABLE, 0),
        floatTable("single_table", single),
        floatTable("double_table", double),
        'copyright:\n .ascii "SRUP emulator"\n .byte 0',
    ].join("\n");
    const words = new Uint32Array(SIZE / 4);
    new Uint8Array(words.buffer).set(assemble(source).bytes);
    return { words, calls };
}

function codeTable(name, entries, thumbBit) {
    const rows = Object.entries(entries).map(
        ([code, label]) => `.byte ${code.charCodeAt(0)}, ${code.charCodeAt(1)}\n .hword ${label}+${thumbBit}`,
    );
    return `.align 2\n${name}:\n${rows.join("\n")}\n.hword 0`;
}

// pico-sdk finds the table's length, in words, in the byte two before it.
function floatTable(name, functions) {
    const labels = new Map(functions.map(({ offset, name }) => [offset, name]));
    const rows = [];
    for (let offset = 0; offset < TABLE_SIZE; offset += 4) rows.push(`.word ${labels.get(offset) ?? "missing"}+1`);
    return `.align 4\n.hword 0\n.byte ${TABLE_SIZE / 4}, 0\n${name}:\n${rows.join("\n")}`;
}
