// A NOR flash chip whose contents are a file: what was written before a reset, a power cut or a kill is there after.
//
// Programming only clears bits; erasing sets a whole sector (4 KiB) or block (64 KiB). Every operation first may be
// the one at which the power fails: `cutAt(n, kind)`. Reads go straight to `bytes`, which the processor maps at
// 0x10000000. Times are the typical ones of the Pico's W25Q16JV.

import { closeSync, existsSync, fstatSync, openSync, readSync, writeSync } from "node:fs";

export const PAGE = 256;
export const SECTOR = 4096;
export const BLOCK = 65536;

const PROGRAM_NANOS = 400_000;
const ERASE_SECTOR_NANOS = 45_000_000;
const ERASE_BLOCK_NANOS = 150_000_000;

// The power failed during a flash operation. Thrown through the emulator, which then has to be dropped.
export class PowerCut extends Error {}

export class NorFlash {
    // `path`: the backing file, made if it is not there; null for a flash that forgets. Throws if the file is not
    // of this size.
    constructor(size, path = null) {
        this.bytes = new Uint8Array(size).fill(0xff);
        this.operations = 0; // erased sectors or blocks, and programmed pages, since the start
        this.cut = null;
        this.file = path === null ? null : this.#open(path);
    }

    // The power fails at the n-th operation from now: "before" it, "after" it, or half-way ("torn").
    cutAt(n, kind = "torn") {
        if (!(n >= 1) || !["before", "torn", "after"].includes(kind)) throw new RangeError(`no such power cut: ${n} ${kind}`);
        this.cut = { operation: this.operations + n, kind };
    }

    // Returns nanoseconds. `offset` and `size` are multiples of SECTOR, else RangeError.
    erase(offset, size) {
        this.#check(offset, size, SECTOR);
        let nanos = 0;
        for (let at = offset; at < offset + size; ) {
            const step = at % BLOCK === 0 && offset + size - at >= BLOCK ? BLOCK : SECTOR;
            this.#operate(at, new Uint8Array(step).fill(0xff));
            nanos += step === BLOCK ? ERASE_BLOCK_NANOS : ERASE_SECTOR_NANOS;
            at += step;
        }
        return nanos;
    }

    // Returns nanoseconds. `offset` and the data's length are multiples of PAGE, else RangeError.
    program(offset, data) {
        this.#check(offset, data.length, PAGE);
        for (let at = 0; at < data.length; at += PAGE) {
            const page = data.subarray(at, at + PAGE).map((byte, index) => byte & this.bytes[offset + at + index]);
            this.#operate(offset + at, page);
        }
        return (data.length / PAGE) * PROGRAM_NANOS;
    }

    // What a factory does: put an image there, whatever was there before. No operation, no time.
    install(offset, image) {
        const end = Math.ceil((offset + image.length) / SECTOR) * SECTOR;
        this.bytes.fill(0xff, offset, end);
        this.bytes.set(image, offset);
        this.#save(offset, end - offset);
    }

    close() {
        if (this.file !== null) closeSync(this.file);
        this.file = null;
    }

    #operate(offset, after) {
        this.operations += 1;
        const cut = this.operations === this.cut?.operation ? this.cut.kind : null;
        if (cut !== "before") {
            this.bytes.set(cut === "torn" ? torn(this.bytes, offset, after) : after, offset);
            this.#save(offset, after.length);
        }
        if (cut) throw new PowerCut(`${cut}, operation ${this.operations}, at 0x${offset.toString(16)}`);
    }

    #check(offset, size, unit) {
        if (offset % unit || size % unit || offset + size > this.bytes.length)
            throw new RangeError(`flash operation at 0x${offset.toString(16)}, ${size} bytes: not whole units of ${unit}`);
    }

    #open(path) {
        const isNew = !existsSync(path);
        const file = openSync(path, isNew ? "w+" : "r+");
        const size = fstatSync(file).size;
        if (isNew) writeSync(file, this.bytes);
        else if (size !== this.bytes.length) throw new RangeError(`${path}: ${size} bytes, not ${this.bytes.length}`);
        else readSync(file, this.bytes, 0, size, 0);
        return file;
    }

    #save(offset, size) {
        if (this.file !== null) writeSync(this.file, this.bytes, offset, size, offset);
    }
}

// Half-way from what is there to what should be: the first half is done; in the rest every second bit has changed.
function torn(bytes, offset, after) {
    const half = after.length / 2;
    return after.map((byte, index) => {
        const before = bytes[offset + index];
        return index < half ? byte : before ^ ((before ^ byte) & 0x55);
    });
}
