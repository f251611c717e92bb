// Flash and RAM at hand: read without first asking which peripheral an address belongs to, as the package does.
//
// Everything else goes through the package, with the cycles that a peripheral takes beyond RAM's. Addresses are unsigned
// for load and store; what is not aligned throws, as it faults on the chip.

const RAM_BASE = 0x20000000, FLASH_BASE = 0x10000000;

export class Memory {
    constructor(rp2040) {
        this.core = rp2040.core;
        this.ramSize = rp2040.sram.length;
        this.flashSize = rp2040.flash.length;
        this.ram8 = rp2040.sram;
        this.ram16 = new Uint16Array(rp2040.sram.buffer);
        this.ram32 = new Int32Array(rp2040.sram.buffer);
        this.flash8 = rp2040.flash;
        this.flash16 = new Uint16Array(rp2040.flash.buffer);
        this.flash32 = new Int32Array(rp2040.flash.buffer);
    }

    isRam(address) {
        return (address - RAM_BASE) >>> 0 < this.ramSize && !(address & 3);
    }

    isCode(address) {
        return (address - FLASH_BASE) >>> 0 < this.flashSize || (address - RAM_BASE) >>> 0 < this.ramSize;
    }

    fetch(address) {
        const inFlash = (address - FLASH_BASE) >>> 0;
        return inFlash < this.flashSize ? this.flash16[inFlash >>> 1] : this.ram16[((address - RAM_BASE) >>> 0) >>> 1];
    }

    peek(address) {
        return this.ram32[(address - RAM_BASE) >>> 2];
    }

    push(address, value) {
        this.ram32[(address - RAM_BASE) >>> 2] = value;
        return address + 4;
    }

    load32(address) {
        const inRam = (address - RAM_BASE) >>> 0;
        if (inRam < this.ramSize && !(address & 3)) return this.ram32[inRam >>> 2];
        const inFlash = (address - FLASH_BASE) >>> 0;
        if (inFlash < this.flashSize && !(address & 3)) return this.flash32[inFlash >>> 2];
        const value = this.core.readUint32(address) | 0;
        this.core.cycles += this.core.cyclesIO(address) - 1;
        return value;
    }

    load16(address) {
        const inRam = (address - RAM_BASE) >>> 0;
        if (inRam < this.ramSize && !(address & 1)) return this.ram16[inRam >>> 1];
        const inFlash = (address - FLASH_BASE) >>> 0;
        if (inFlash < this.flashSize && !(address & 1)) return this.flash16[inFlash >>> 1];
        if (address & 1) throw new Error(`read of 16 bits at ${address.toString(16)}`);
        const value = this.core.readUint16(address);
        this.core.cycles += this.core.cyclesIO(address) - 1;
        return value;
    }

    load8(address) {
        const inRam = (address - RAM_BASE) >>> 0;
        if (inRam < this.ramSize) return this.ram8[inRam];
        const inFlash = (address - FLASH_BASE) >>> 0;
        if (inFlash < this.flashSize) return this.flash8[inFlash];
        const value = this.core.readUint8(address);
        this.core.cycles += this.core.cyclesIO(address) - 1;
        return value;
    }

    store32(address, value) {
        const inRam = (address - RAM_BASE) >>> 0;
        if (inRam < this.ramSize && !(address & 3)) this.ram32[inRam >>> 2] = value;
        else {
            this.core.writeUint32(address, value >>> 0);
            this.core.cycles += this.core.cyclesIO(address, true) - 1;
        }
    }

    store16(address, value) {
        const inRam = (address - RAM_BASE) >>> 0;
        if (inRam < this.ramSize && !(address & 1)) this.ram16[inRam >>> 1] = value;
        else if (address & 1) throw new Error(`write of 16 bits at ${address.toString(16)}`);
        else {
            this.core.writeUint16(address, value >>> 0);
            this.core.cycles += this.core.cyclesIO(address, true) - 1;
        }
    }

    store8(address, value) {
        const inRam = (address - RAM_BASE) >>> 0;
        if (inRam < this.ramSize) this.ram8[inRam] = value;
        else {
            this.core.writeUint8(address, value >>> 0);
            this.core.cycles += this.core.cyclesIO(address, true) - 1;
        }
    }
}
