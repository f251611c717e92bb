// The ring oscillator, which pico-sdk and MicroPython use as their source of randomness, a bit a read.
//
// The bits come from a generator with a seed, so that a run can be repeated: predictable, and therefore never to be
// used for keys that guard anything. Another seed is another board.

import { BasePeripheral } from "rp2040js";

const STATUS = 0x18;
const RANDOMBIT = 0x1c;
const STATUS_STABLE_ENABLED = 0x8000_1000;

class RingOscillator extends BasePeripheral {
    constructor(rp2040, random) {
        super(rp2040, "ROSC");
        this.random = random;
    }

    readUint32(offset) {
        if (offset === STATUS) return STATUS_STABLE_ENABLED;
        return offset === RANDOMBIT ? this.random() & 1 : 0;
    }

    writeUint32() {}
}

export function connectOscillator(rp2040, random) {
    rp2040.peripherals[0x40060] = new RingOscillator(rp2040, random);
}

// 32 bits a call (xorshift32, Marsaglia 2003), the same for the same seed on every host. The seed is not 0.
export function seededRandom(seed) {
    let state = seed >>> 0 || 1;
    return () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 16) ^ (state & 0xffff);
    };
}
