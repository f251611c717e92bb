// The cycle counter, and the clock that follows from it: emulated time is the processor's cycle count and nothing else.
//
// Nothing here reads the host's clock, so the same inputs give the same cycles in every process. Peripherals ask for
// `nanos` and set alarms; the chip's run loop compares `core.cycles` with `deadline` after each instruction.

export const SYSTEM_CLOCK = 125_000_000;

export class CycleClock {
    constructor() {
        this.core = { cycles: 0 }; // until the chip that is being built has one
        this.originCycles = 0;
        this.originNanos = 0;
        this.nanosPerCycle = 1e9 / SYSTEM_CLOCK;
        this.alarms = []; // soonest first
        this.deadline = Infinity; // in cycles: when the first alarm is due
        this.firing = null;
    }

    attach(core) {
        this.core = core;
    }

    // Nanoseconds since power-on. While an alarm fires, the exact time it was set for: periodic timers do not drift.
    get nanos() {
        if (this.firing !== null) return this.firing;
        return this.originNanos + (this.core.cycles - this.originCycles) * this.nanosPerCycle;
    }

    // The firmware has changed the system clock: cycles so far keep their length.
    setFrequency(hertz) {
        this.originNanos = this.nanos;
        this.originCycles = this.core.cycles;
        this.nanosPerCycle = 1e9 / hertz;
        this.#updateDeadline();
    }

    // Let time pass without instructions: a flash chip that is busy, a processor that sleeps.
    spend(nanos) {
        this.core.cycles += Math.ceil(nanos / this.nanosPerCycle);
    }

    get nanosToDeadline() {
        return (this.deadline - this.core.cycles) * this.nanosPerCycle;
    }

    // Run every alarm that is due, in order, those that they set for now included.
    fire() {
        const now = this.nanos;
        while (this.alarms.length && this.alarms[0].due <= now) {
            const alarm = this.alarms.shift();
            this.firing = alarm.due;
            alarm.callback();
        }
        this.firing = null;
        this.#updateDeadline();
    }

    createAlarm(callback) {
        const alarm = { callback, due: 0 };
        return { schedule: (nanos) => this.#schedule(alarm, nanos), cancel: () => this.#cancel(alarm) };
    }

    #schedule(alarm, nanos) {
        this.#cancel(alarm);
        alarm.due = this.nanos + nanos;
        const later = this.alarms.findIndex((other) => other.due > alarm.due);
        this.alarms.splice(later < 0 ? this.alarms.length : later, 0, alarm);
        this.#updateDeadline();
    }

    #cancel(alarm) {
        const index = this.alarms.indexOf(alarm);
        if (index < 0) return;
        this.alarms.splice(index, 1);
        this.#updateDeadline();
    }

    #updateDeadline() {
        this.deadline = this.alarms.length
            ? this.originCycles + Math.ceil((this.alarms[0].due - this.originNanos) / this.nanosPerCycle)
            : Infinity;
    }
}
