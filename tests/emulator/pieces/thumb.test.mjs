import assert from "node:assert/strict";
import { test } from "node:test";
import { assemble } from "../thumb.mjs";

const hex = (source) => Buffer.from(assemble(source).bytes).toString("hex");

// Expected bytes: GNU as 2.44 for -mcpu=cortex-m0plus.
for (const [source, expected] of [
    ["movs r0, #5", "0520"],
    ["push {r4, lr}", "10b5"],
    ["pop {r4, r5, pc}", "30bd"],
    ["ldmia r1!, {r3, r4}", "18c9"],
    ["stmia r0!, {r1}", "02c0"],
    ["ldr r2, [r3, #124]", "da6f"],
    ["ldrh r2, [r0, #2]", "4288"],
    ["strb r1, [r0, #31]", "c177"],
    ["lsls r3, r0, #30", "8307"],
    ["subs r0, r0, r2", "801a"],
    ["adds r0, r1, #7", "c81d"],
    ["mov r12, r0", "8446"],
    ["mov r0, r12", "6046"],
    ["muls r0, r1", "4843"],
    ["bx lr", "7047"],
    ["msr msp, r2", "82f30888"],
    ["bkpt #255", "ffbe"],
    ["here:\nbne here", "fed1"],
    ["b there\nmovs r0, #0\nthere:\nbx lr", "00e000207047"],
    [".align 4\nldr r0, value\nbx lr\nvalue:\n.word 0x12345678", "0048704778563412"],
]) {
    test(`assembles ${source.replaceAll("\n", " / ")}`, () => assert.equal(hex(source), expected));
}

for (const [source, complaint] of [
    ["movs r0, #256", /does not fit/],
    ["movs r8, #1", /only r0 to r7/],
    ["ldr r0, [r1, #2]", /does not fit/],
    ["vadd r0, r1", /no such instruction/],
    ["b nowhere", /no label nowhere/],
]) {
    test(`refuses ${source}`, () => assert.throws(() => assemble(source), complaint));
}
