// The cycle counter as the firmware sees it: a register block that no RP2040 has, at 0x40070000.
//
//   +0  cycles since power-on, low word; reading it latches the high word
//   +4  high word
// On the device: `machine.mem32[0x40070000]`. It counts on through resets.

import { BasePeripheral } from "rp2040js";

class CyclesRegister extends BasePeripheral {
    constructor(rp2040, count) {
        super(rp2040, "CYCLES");
        this.count = count;
        this.high = 0;
    }

    readUint32(offset) {
        if (offset === 4) return this.high;
        const cycles = this.count();
        this.high = Math.floor(cycles / 2 ** 32);
        return cycles % 2 ** 32;
    }

    writeUint32() {}
}

export function connectCyclesRegister(rp2040, count) {
    rp2040.peripherals[0x40070] = new CyclesRegister(rp2040, count);
}
