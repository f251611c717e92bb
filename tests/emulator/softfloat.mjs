// The boot ROM's floating point: what pico-sdk finds in the tables 'SF' (single) and 'SD' (double).
//
// Each entry is { name, cycles, run(registers) }: arguments and results in r0-r3 as AAPCS has them. The arithmetic is
// the host's IEEE 754, correctly rounded, with denormals flushed to zero as the ROM does; the cycles are about the
// averages that the RP2040 datasheet gives for the ROM's own code (boot ROM version 2), so figures with much floating
// point in them are estimates.
// Offsets: pico-sdk, pico/bootrom/sf_table.h. Integer and fixed-point results round down and saturate.

const scratch = new DataView(new ArrayBuffer(8));

export const SINGLE = {
    words: 1,
    smallestNormal: 2 ** -126,
    fromWords(low) {
        scratch.setUint32(0, low);
        return scratch.getFloat32(0);
    },
    toWords(value) {
        scratch.setFloat32(0, value);
        return [scratch.getUint32(0)];
    },
    fromBigInt: (value) => Math.fround(roundToOdd(value)),
};

export const DOUBLE = {
    words: 2,
    smallestNormal: 2 ** -1022,
    fromWords(low, high) {
        scratch.setUint32(0, high);
        scratch.setUint32(4, low);
        return scratch.getFloat64(0);
    },
    toWords(value) {
        scratch.setFloat64(0, value);
        return [scratch.getUint32(4), scratch.getUint32(0)];
    },
    fromBigInt: Number,
};

// To 53 bits or fewer, with what is cut off kept in the lowest bit: rounding again, to 24 bits, is then exact.
function roundToOdd(value) {
    const magnitude = value < 0n ? -value : value;
    const rounded = magnitude >> 53n ? Number((magnitude >> 11n) | (magnitude & 0x7ffn ? 1n : 0n)) * 2048 : Number(magnitude);
    return value < 0n ? -rounded : rounded;
}

const flush = (kind, value) => (Math.abs(value) < kind.smallestNormal ? value * 0 : value);
const argument = (kind, registers, index) => {
    const at = index * kind.words;
    return flush(kind, kind.fromWords(registers[at], registers[at + 1]));
};
const answer = (kind, registers, ...values) => {
    registers.set(values.flatMap((value) => kind.toWords(flush(kind, value))));
};

const unary = (operate) => (kind) => (registers) => answer(kind, registers, operate(argument(kind, registers, 0)));
const binary = (operate) => (kind) => (registers) =>
    answer(kind, registers, operate(argument(kind, registers, 0), argument(kind, registers, 1)));
const sineAndCosine = (kind) => (registers) => {
    const angle = argument(kind, registers, 0);
    answer(kind, registers, Math.sin(angle), Math.cos(angle));
};
const compare = (kind) => (registers) => {
    const [a, b] = [argument(kind, registers, 0), argument(kind, registers, 1)];
    registers[0] = (a > b) - (a < b);
};
const convert = (kind) => (registers) =>
    answer(kind === SINGLE ? DOUBLE : SINGLE, registers, argument(kind, registers, 0));

// value * 2^point, rounded down and saturated, as an integer of `bits` bits
const toInteger = (bits, isSigned, hasPoint) => (kind) => (registers) => {
    const scaled = argument(kind, registers, 0) * 2 ** (hasPoint ? registers[kind.words] | 0 : 0);
    const limit = 2n ** BigInt(isSigned ? bits - 1 : bits);
    const least = isSigned ? -limit : 0n;
    const result = scaled >= Number(limit) || Number.isNaN(scaled) ? limit - 1n
        : scaled < Number(least) ? least : BigInt(Math.floor(scaled));
    registers[0] = Number(BigInt.asUintN(32, result));
    if (bits === 64) registers[1] = Number(BigInt.asUintN(32, result >> 32n));
};
const fromInteger = (bits, isSigned, hasPoint) => (kind) => (registers) => {
    const unsigned = BigInt(registers[0]) | (bits === 64 ? BigInt(registers[1]) << 32n : 0n);
    const point = hasPoint ? registers[bits / 32] | 0 : 0;
    const value = isSigned ? BigInt.asIntN(bits, unsigned) : unsigned;
    answer(kind, registers, kind.fromBigInt(value) * 2 ** -point);
};

// [offset, name, cycles of the single-precision function, of the double-precision one, what it does]
const FUNCTIONS = [
    [0x00, "add", 71, 91, binary((a, b) => a + b)],
    [0x04, "sub", 74, 95, binary((a, b) => a - b)],
    [0x08, "mul", 58, 155, binary((a, b) => a * b)],
    [0x0c, "div", 71, 183, binary((a, b) => a / b)],
    [0x18, "sqrt", 63, 169, unary((a) => (a < 0 ? -Infinity : Math.sqrt(a)))],
    [0x1c, "to_int", 40, 75, toInteger(32, true, false)],
    [0x20, "to_fix", 39, 74, toInteger(32, true, true)],
    [0x24, "to_uint", 39, 63, toInteger(32, false, false)],
    [0x28, "to_ufix", 38, 62, toInteger(32, false, true)],
    [0x2c, "from_int", 55, 69, fromInteger(32, true, false)],
    [0x30, "from_fix", 53, 68, fromInteger(32, true, true)],
    [0x34, "from_uint", 54, 64, fromInteger(32, false, false)],
    [0x38, "from_ufix", 52, 62, fromInteger(32, false, true)],
    [0x3c, "cos", 587, 1617, unary(Math.cos)],
    [0x40, "sin", 577, 1618, sineAndCosine],
    [0x44, "tan", 653, 1891, unary(Math.tan)],
    [0x48, "sincos", 577, 1618, sineAndCosine],
    [0x4c, "exp", 524, 804, unary(Math.exp)],
    [0x50, "ln", 789, 428, unary((a) => (a <= 0 ? -Infinity : Math.log(a)))],
    [0x54, "cmp", 25, 39, compare],
    [0x58, "atan2", 599, 2168, binary(Math.atan2)],
    [0x5c, "from_int64", 62, 55, fromInteger(64, true, false)],
    [0x60, "from_fix64", 60, 54, fromInteger(64, true, true)],
    [0x64, "from_uint64", 58, 48, fromInteger(64, false, false)],
    [0x68, "from_ufix64", 57, 47, fromInteger(64, false, true)],
    [0x6c, "to_int64", 54, 64, toInteger(64, true, false)],
    [0x70, "to_fix64", 53, 63, toInteger(64, true, true)],
    [0x74, "to_uint64", 44, 53, toInteger(64, false, false)],
    [0x78, "to_ufix64", 43, 52, toInteger(64, false, true)],
    [0x7c, "to_other", 15, 23, convert],
];

export const TABLE_SIZE = 0x80;

// The functions of one kind, SINGLE or DOUBLE: [{ offset in the table, name, cycles, run(registers) }].
export function floatFunctions(kind) {
    const [prefix, column] = kind === SINGLE ? ["f", 2] : ["d", 3];
    return FUNCTIONS.map((row) => ({ offset: row[0], name: `${prefix}_${row[1]}`, cycles: row[column], run: row[4](kind) }));
}
