// Resets: machine.reset(), the watchdog, and what survives them.
//
// A reset throws `Reset` out of the run loop. The chip is dropped and a new one is built, so every peripheral is in its
// reset state by construction. Only the watchdog's reason and scratch registers are carried over, as on the RP2040.

const WATCHDOG = 0x40058;

export class Reset {
    constructor(reason, scratch) {
        this.reason = reason; // bit 0: the timer ran out, bit 1: forced by software
        this.scratch = scratch;
    }

    toString() {
        return this.reason & 1 ? "watchdog" : "software";
    }
}

export function watchForReset(rp2040) {
    const watchdog = rp2040.peripherals[WATCHDOG];
    watchdog.onWatchdogTrigger = () => {
        watchdog.timer.enable = false; // else it would start again from 0, and run out again at once, for ever
        throw new Reset(watchdog.reason, watchdog.scratchData);
    };
}

export function carryOver(reset, rp2040) {
    const watchdog = rp2040.peripherals[WATCHDOG];
    watchdog.reason = reset.reason;
    watchdog.scratchData.set(reset.scratch);
}
