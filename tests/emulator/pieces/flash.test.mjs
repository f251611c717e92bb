import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { BLOCK, NorFlash, PAGE, PowerCut, SECTOR } from "../flash.mjs";

let folder;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "flash-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const page = (byte) => new Uint8Array(PAGE).fill(byte);

test("programming only clears bits", () => {
    const flash = new NorFlash(BLOCK);
    flash.program(PAGE, page(0b11001100));
    flash.program(PAGE, page(0b10101010));
    assert.deepEqual([PAGE - 1, PAGE, 2 * PAGE - 1, 2 * PAGE].map((at) => flash.bytes[at]), [0xff, 0b10001000, 0b10001000, 0xff]);
});

test("erasing sets the sector, or the block where a whole one is asked for", () => {
    const flash = new NorFlash(3 * BLOCK);
    flash.bytes.fill(0);
    assert.equal(flash.erase(SECTOR, SECTOR), 45e6);
    assert.deepEqual([SECTOR - 1, SECTOR, 2 * SECTOR - 1, 2 * SECTOR].map((at) => flash.bytes[at]), [0, 0xff, 0xff, 0]);
    assert.equal(flash.erase(BLOCK, BLOCK + SECTOR), 150e6 + 45e6);
    assert.equal(flash.operations, 3);
});

test("programming takes its time by the page", () => {
    assert.equal(new NorFlash(BLOCK).program(0, new Uint8Array(3 * PAGE)), 1.2e6);
});

test("odd addresses, odd sizes and what is beyond the end are refused", () => {
    const flash = new NorFlash(BLOCK);
    for (const wrong of [() => flash.erase(256, SECTOR), () => flash.erase(0, 256), () => flash.erase(BLOCK, SECTOR),
        () => flash.program(1, page(0)), () => flash.program(0, new Uint8Array(255)), () => flash.program(BLOCK, page(0))]) {
        assert.throws(wrong, RangeError);
    }
    assert.equal(flash.operations, 0);
});

test("the contents are in the file at once, and come back from it", () => {
    const path = join(folder, "flash");
    const flash = new NorFlash(BLOCK, path);
    flash.program(SECTOR, page(7)); // and never closed: as after a kill
    assert.equal(readFileSync(path)[SECTOR], 7);
    assert.deepEqual(new NorFlash(BLOCK, path).bytes, flash.bytes);
});

test("a file of another size is not a flash of this one", () => {
    writeFileSync(join(folder, "short"), "x");
    assert.throws(() => new NorFlash(BLOCK, join(folder, "short")), /1 bytes, not 65536/);
});

test("installing a firmware erases its sectors and leaves the others", () => {
    const flash = new NorFlash(BLOCK);
    flash.bytes.fill(0);
    flash.install(SECTOR, Buffer.from([1, 2, 3]));
    assert.deepEqual([...flash.bytes.subarray(SECTOR, SECTOR + 4)], [1, 2, 3, 0xff]);
    assert.deepEqual([flash.bytes[SECTOR - 1], flash.bytes[2 * SECTOR - 1], flash.bytes[2 * SECTOR]], [0, 0xff, 0]);
});

const CUT_PROGRAM = { before: [0xff, 0xff], torn: [0x00, 0xaa], after: [0x00, 0x00] };
const CUT_ERASE = { before: [0x00, 0x00], torn: [0xff, 0x55], after: [0xff, 0xff] };
for (const kind of ["before", "torn", "after"]) {
    test(`the power fails ${kind}: in the file, too`, () => {
        const path = join(folder, kind);
        const flash = new NorFlash(BLOCK, path);
        flash.program(0, page(1));
        flash.cutAt(2, kind);
        flash.program(PAGE, page(2));
        assert.throws(() => flash.program(2 * PAGE, new Uint8Array(2 * PAGE)), PowerCut);
        const after = new NorFlash(BLOCK, path);
        assert.deepEqual([after.bytes[2 * PAGE], after.bytes[3 * PAGE - 1]], CUT_PROGRAM[kind]);
        assert.equal(after.bytes[3 * PAGE], 0xff, "the page after it was never reached");
        after.bytes.fill(0);
        after.cutAt(1, kind);
        assert.throws(() => after.erase(0, SECTOR), PowerCut);
        assert.deepEqual([after.bytes[0], after.bytes[SECTOR - 1]], CUT_ERASE[kind]);
    });
}

test("a cut that makes no sense is refused", () => {
    const flash = new NorFlash(BLOCK);
    for (const wrong of [[0, "torn"], [-1, "torn"], [NaN, "torn"], [1, "maybe"]]) assert.throws(() => flash.cutAt(...wrong), RangeError);
});
