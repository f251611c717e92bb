import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CycleClock } from "../clock.mjs";

let clock, core, log;
beforeEach(() => {
    clock = new CycleClock();
    core = { cycles: 0 };
    clock.attach(core);
    log = [];
});
const alarm = (name, then = () => {}) => clock.createAlarm(() => {
    log.push([name, clock.nanos]);
    then();
});

test("a cycle is 8 ns at 125 MHz", () => {
    core.cycles = 1000;
    assert.equal(clock.nanos, 8000);
});

test("another frequency holds from then on, for alarms that are set, too", () => {
    core.cycles = 1000;
    alarm("a").schedule(1000);
    assert.equal(clock.deadline, 1125);
    clock.setFrequency(250e6);
    assert.equal(clock.nanos, 8000);
    assert.equal(clock.deadline, 1250);
});

test("alarms fire in order, at the time they were set for, however late the processor comes", () => {
    alarm("late").schedule(900);
    alarm("early").schedule(100);
    alarm("also late").schedule(900);
    alarm("not yet").schedule(10_000);
    core.cycles = 1000;
    clock.fire();
    assert.deepEqual(log, [["early", 100], ["late", 900], ["also late", 900]]);
    assert.equal(clock.nanos, 8000);
    assert.equal(clock.deadline, 1250);
});

test("a periodic alarm keeps its beat", () => {
    const beat = alarm("beat", () => beat.schedule(1000));
    beat.schedule(1000);
    core.cycles = 440; // 3520 ns: three beats are due
    clock.fire();
    assert.deepEqual(log.map(([, nanos]) => nanos), [1000, 2000, 3000]);
    assert.equal(clock.deadline, 500);
});

test("an alarm set again moves, and a cancelled one is gone", () => {
    const moved = alarm("moved");
    moved.schedule(100);
    moved.schedule(500);
    const cancelled = alarm("cancelled");
    cancelled.schedule(200);
    cancelled.cancel();
    core.cycles = 100;
    clock.fire();
    assert.deepEqual(log, [["moved", 500]]);
    assert.equal(clock.deadline, Infinity);
});

test("time spent waiting is counted in cycles", () => {
    clock.spend(45e6);
    assert.equal(core.cycles, 5_625_000);
});
