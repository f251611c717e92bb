// Firmware files: what has to be in flash, read from a .bin (flash contents from 0x10000000) or a linked .elf.

import { readFileSync } from "node:fs";

const FLASH_BASE = 0x10000000;
const ELF_MAGIC = 0x7f454c46;
const PT_LOAD = 1;

// Returns [{ offset in flash, bytes }]. Throws where the file is not such firmware.
export function readFirmware(path) {
    const file = readFileSync(path);
    const segments = file.length > 52 && file.readUInt32BE(0) === ELF_MAGIC ? elfSegments(file) : [{ offset: 0, bytes: file }];
    if (!segments.length) throw new Error(`${path}: nothing in it belongs into flash`);
    return segments;
}

function elfSegments(file) {
    const [start, size, count] = [file.readUInt32LE(28), file.readUInt16LE(42), file.readUInt16LE(44)];
    const headers = Array.from({ length: count }, (_, index) => file.subarray(start + index * size));
    return headers
        .filter((header) => header.readUInt32LE(0) === PT_LOAD && header.readUInt32LE(16) > 0)
        .map((header) => {
            const [from, length, at] = [header.readUInt32LE(4), header.readUInt32LE(16), header.readUInt32LE(12)];
            return { offset: at - FLASH_BASE, bytes: file.subarray(from, from + length) };
        })
        .filter(({ offset }) => offset >= 0 && offset < 0x1000000);
}
