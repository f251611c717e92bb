import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "../pace.mjs";

// A board that works for a slice, then sleeps for a millisecond, or for as long as it is told.
function board(nanosToAlarm = 1e6) {
    return {
        cycles: 0,
        isAsleep: false,
        nanosToAlarm,
        slept: [],
        onRun: () => {},
        run(cycles) {
            this.cycles = cycles;
            this.isAsleep = true;
            this.onRun();
        },
        sleep(nanos) {
            this.slept.push(nanos);
            this.isAsleep = false;
        },
    };
}

for (const fast of [false, true]) {
    test(`${fast ? "fast" : "paced"}: a board that stops itself sleeps no more, however long it was owed`, async () => {
        const pico = board(5e6);
        const pace = new Pace(pico, { fast, hasInput: false });
        pico.onRun = () => pico.slept.length === 3 && pace.stop();
        await pace.run();
        assert.deepEqual(pico.slept.map((nanos) => nanos ?? 5e6), [5e6, 5e6, 5e6]);
    });
}

test("paced sleep takes its time", async () => {
    const pace = new Pace(board(10e6), { hasInput: false });
    const start = performance.now();
    await pace.run(5 * 250_000 + 1);
    assert.ok(performance.now() - start >= 45);
});

test("fast sleep takes none: hours of it are over before the test's time is", async () => {
    const pico = board(3600e9);
    await new Pace(pico, { fast: true, hasInput: false }).run(1000 * 250_000);
    assert.equal(pico.slept.length, 1000);
});

test("input ends a sleep, and finds the board's clock at the time it came", async () => {
    const pico = board(Infinity);
    const pace = new Pace(pico);
    let sleptBefore;
    setTimeout(() => pace.input(() => {
        sleptBefore = pico.slept[0];
        pace.stop();
    }), 20);
    await pace.run();
    assert.ok(sleptBefore >= 19e6 && sleptBefore < Infinity, `${sleptBefore} ns`);
});

test("a board that sleeps for ever, with nobody to wake it, is at its end", async () => {
    await new Pace(board(Infinity), { hasInput: false }).run();
    await new Pace(board(Infinity), { fast: true, hasInput: false }).run();
});
