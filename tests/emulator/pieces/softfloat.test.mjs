import assert from "node:assert/strict";
import { test } from "node:test";
import { DOUBLE, SINGLE } from "../softfloat.mjs";
import { benchChip, call, lookUp } from "./bench_chip.mjs";

const OFFSETS = { add: 0x00, sub: 0x04, mul: 0x08, div: 0x0c, sqrt: 0x18, toInt: 0x1c, toFix: 0x20, toUint: 0x24, fromInt: 0x2c,
    fromUint: 0x34, sin: 0x40, ln: 0x50, cmp: 0x54, fromInt64: 0x5c, fromUint64: 0x64, toInt64: 0x6c, toUint64: 0x74, convert: 0x7c };

const chip = benchChip();

// Through the ROM's table, as pico-sdk calls them; returns the words in r0-r3.
function words(kind, name, ...values) {
    const table = lookUp(chip, kind === SINGLE ? "SF" : "SD", "data");
    return call(chip, chip.rp2040.readUint32(table + OFFSETS[name]), ...values);
}
const number = (kind, ...values) => values.flatMap((value) => kind.toWords(value));
const calculate = (kind, name, ...values) => kind.fromWords(...words(kind, name, ...number(kind, ...values)));

// Expected bits: IEEE 754 by hand, as any C compiler for an FPU gives them.
test("single precision rounds to nearest, ties to even", () => {
    assert.deepEqual(words(SINGLE, "add", 0x3dcccccd, 0x3e4ccccd).slice(0, 1), [0x3e99999a]); // 0.1 + 0.2
    assert.deepEqual(words(SINGLE, "div", 0x3f800000, 0x40400000).slice(0, 1), [0x3eaaaaab]); // 1 / 3
    assert.deepEqual(words(SINGLE, "mul", 0x3f8ccccd, 0x3f8ccccd).slice(0, 1), [0x3f9ae148]); // 1.1 * 1.1
    assert.deepEqual(words(SINGLE, "sqrt", 0x40000000).slice(0, 1), [0x3fb504f3]); // sqrt(2)
    assert.deepEqual(words(SINGLE, "fromInt", 0x01000001).slice(0, 1), [0x4b800000]); // 2^24 + 1, a tie
    assert.deepEqual(words(SINGLE, "fromUint", 0xffffffff).slice(0, 1), [0x4f800000]);
});

test("64-bit integers become single precision with one rounding, not two", () => {
    // 2^60 + 2^36 + 1: just above the middle of two neighbours, and by way of 53 bits exactly on it
    assert.deepEqual(words(SINGLE, "fromInt64", 0x00000001, 0x10000010).slice(0, 1), [0x5d800001]);
    assert.deepEqual(words(SINGLE, "fromInt64", 0xffffffff, 0xefffffef).slice(0, 1), [0xdd800001]); // its negative
});

test("double precision", () => {
    assert.deepEqual(words(DOUBLE, "add", ...number(DOUBLE, 0.1, 0.2)).slice(0, 2), [0x33333334, 0x3fd33333]);
    assert.equal(calculate(DOUBLE, "div", 1, 3), 1 / 3);
    assert.deepEqual(words(DOUBLE, "fromUint64", 0xffffffff, 0xffffffff).slice(0, 2), [0, 0x43f00000]);
    assert.deepEqual(words(DOUBLE, "convert", ...number(DOUBLE, 0.1)).slice(0, 1), [0x3dcccccd]);
    assert.deepEqual(words(SINGLE, "convert", 0x3dcccccd).slice(0, 2), [0xa0000000, 0x3fb99999]);
});

for (const [name, kind] of [["single", SINGLE], ["double", DOUBLE]]) {
    test(`${name}: conversions to integers round down and saturate`, () => {
        const convert = (to, value) => words(kind, to, ...number(kind, value))[0];
        assert.equal(convert("toInt", 2.75), 2);
        assert.equal(convert("toInt", -2.25), 0xfffffffd);
        assert.equal(convert("toInt", 3e9), 0x7fffffff);
        assert.equal(convert("toInt", -3e9), 0x80000000);
        assert.equal(convert("toUint", 3e9), 3e9);
        assert.equal(convert("toUint", -1), 0);
        assert.equal(convert("toUint", Infinity), 0xffffffff);
        assert.deepEqual(words(kind, "toInt64", ...number(kind, -(2 ** 40))).slice(0, 2), [0, 0xffffff00]);
        assert.deepEqual(words(kind, "toUint64", ...number(kind, 2 ** 70)).slice(0, 2), [0xffffffff, 0xffffffff]);
        assert.equal(words(kind, "toFix", ...number(kind, 0.5), 16)[0], 0x8000);
    });

    test(`${name}: denormals are zero, infinity stays, a bad argument of sqrt or ln is -infinity`, () => {
        assert.equal(calculate(kind, "add", kind.smallestNormal / 2, 0), 0);
        assert.equal(calculate(kind, "mul", kind.smallestNormal, 0.5), 0);
        assert.equal(calculate(kind, "mul", kind.smallestNormal, 2), kind.smallestNormal * 2);
        assert.equal(calculate(kind, "sub", Infinity, 1), Infinity);
        assert.equal(calculate(kind, "sqrt", -1), -Infinity);
        assert.equal(calculate(kind, "ln", 0), -Infinity);
    });

    test(`${name}: comparison, and the sine that brings its cosine along`, () => {
        assert.deepEqual([[1, 2], [2, 2], [2, 1]].map((pair) => words(kind, "cmp", ...number(kind, ...pair))[0]), [0xffffffff, 0, 1]);
        const both = words(kind, "sin", ...number(kind, 1));
        assert.ok(Math.abs(kind.fromWords(...both) - 0.8414709848) < 1e-7);
        assert.ok(Math.abs(kind.fromWords(...both.slice(kind.words)) - 0.5403023059) < 1e-7);
    });
}
