// Runs a Pico beside the real world: instructions as fast as the host can, sleep in real time or not at all.
//
// Paced, a second of the board's sleep takes a second, or until input comes: time-outs against servers on this machine
// mean what they say. Time lost while computing (the emulator is slower than the chip) is not made up for. Fast, sleep
// takes no time: for runs that talk to nobody outside. Input from outside reaches the board between two slices only.
// A run without input from outside is deterministic, to the cycle, at either pace.

const SLICE = 250_000; // cycles between two looks at the world: 2 ms of the board, a few of the host
const SHORTEST_WAIT_NANOS = 2_000_000; // the host's timers are no finer; shorter sleeps are saved up
const NAPS = 256; // sleeps that took no time, between two looks at the world

export class Pace {
    // hasInput: something outside may call input()
    constructor(pico, { fast = false, hasInput = true } = {}) {
        Object.assign(this, { pico, fast, hasInput });
        this.pending = [];
        this.owed = 0; // nanoseconds slept by the board and not yet by us
        this.naps = 0;
        this.isStopped = false;
        this.wake = () => {};
        this.onSlice = () => {};
    }

    // Call `deliver` when the board can take it, and with its clock set to now.
    input(deliver) {
        this.pending.push(deliver);
        this.wake();
    }

    stop() {
        this.isStopped = true;
        this.wake();
    }

    // Until stop(), until that cycle, or until nothing can ever happen again. Throws what ends the board's life:
    // PowerCut, Fault, UsbBoot.
    async run(cycles = Infinity) {
        const { pico } = this;
        while (!this.isStopped && pico.cycles < cycles) {
            for (const deliver of this.pending.splice(0)) deliver();
            pico.run(Math.min(pico.cycles + SLICE, cycles));
            this.onSlice();
            if (this.isStopped) return; // before time passes that is ours and not the board's
            if (!pico.isAsleep) await breath();
            else if (pico.nanosToAlarm === Infinity && !this.hasInput) return;
            else await this.#sleep();
        }
    }

    async #sleep() {
        const nanos = this.pico.nanosToAlarm;
        this.owed = this.fast && nanos !== Infinity ? 0 : this.owed + nanos;
        if (this.owed < SHORTEST_WAIT_NANOS) {
            this.pico.sleep();
            if (++this.naps % NAPS === 0) await breath();
            return;
        }
        const waited = await this.#wait(this.owed);
        this.pico.sleep(this.pending.length || this.isStopped ? waited : nanos);
        this.owed = this.pending.length ? 0 : Math.max(0, this.owed - waited);
    }

    // Returns how long it took: up to `nanos`, less if there is input.
    async #wait(nanos) {
        const start = performance.now();
        if (!this.pending.length && !this.isStopped) {
            await new Promise((resolve) => {
                const timer = nanos === Infinity ? null : setTimeout(resolve, nanos / 1e6);
                this.wake = () => {
                    clearTimeout(timer);
                    resolve();
                };
            });
            this.wake = () => {};
        }
        return (performance.now() - start) * 1e6;
    }
}

function breath() {
    return new Promise((resolve) => setImmediate(resolve));
}
