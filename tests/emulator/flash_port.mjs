// The flash chip's command port: SSI and the QSPI pins, as far as pico-sdk talks to them beside the boot ROM.
//
// Reading goes through the memory map, erasing and programming through the boot ROM. What is left is the flash's
// unique id (command 4Bh), from which MicroPython makes machine.unique_id() and the USB serial number; status reads of
// the second-stage boot loader; and the clock divider. A command is what is sent while the chip select is forced low.

import { BasePeripheral } from "rp2040js";

const SR = 0x28;
const DR0 = 0x60;
const SR_READY = 0b1110; // transmitter empty and not full, something received
const READ_UNIQUE_ID = 0x4b;
const UNIQUE_ID_AT = 5; // after the command and four dummy bytes

const SS_CTRL = 0x0c;
const OUTPUT_OVERRIDE = 0x300;
const OUTPUT_LOW = 0x200;

// Registers that are nothing but storage, by default zero.
class Registers extends BasePeripheral {
    constructor(rp2040, name) {
        super(rp2040, name);
        this.values = new Map();
    }

    readUint32(offset) {
        return this.values.get(offset) ?? 0;
    }

    writeUint32(offset, value) {
        this.values.set(offset, value >>> 0);
    }
}

class Ssi extends Registers {
    constructor(rp2040, uniqueId) {
        super(rp2040, "SSI");
        this.uniqueId = uniqueId;
        this.select();
    }

    select() {
        this.sent = [];
        this.received = 0;
    }

    readUint32(offset) {
        if (offset === SR) return SR_READY;
        if (offset === DR0) return this.#answer(this.received++);
        return super.readUint32(offset);
    }

    writeUint32(offset, value) {
        if (offset === DR0) this.sent.push(value & 0xff);
        else super.writeUint32(offset, value);
    }

    #answer(index) {
        return this.sent[0] === READ_UNIQUE_ID ? (this.uniqueId[index - UNIQUE_ID_AT] ?? 0) : 0;
    }
}

class QspiPins extends Registers {
    constructor(rp2040, ssi) {
        super(rp2040, "IO_QSPI");
        this.ssi = ssi;
    }

    writeUint32(offset, value) {
        super.writeUint32(offset, value);
        if (offset === SS_CTRL && (value & OUTPUT_OVERRIDE) === OUTPUT_LOW) this.ssi.select();
    }
}

// `uniqueId`: 8 bytes
export function connectFlashPort(rp2040, uniqueId) {
    const ssi = new Ssi(rp2040, uniqueId);
    rp2040.peripherals[0x18000] = ssi;
    rp2040.peripherals[0x40018] = new QspiPins(rp2040, ssi);
}
