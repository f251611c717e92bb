// A tiny assembler for the part of ARMv6-M (Thumb) that our boot ROM is written in.
//
// assemble(source, origin) -> { bytes: Uint8Array, labels: { name: address } }. One instruction, label or directive a
// line; `;` starts a comment. Only the forms in ENCODERS below exist: anything else throws, with the line.
// Encodings: ARMv6-M Architecture Reference Manual, A6.7.

const low = (register) => {
    if (register > 7) throw new Error("only r0 to r7 here");
    return register;
};
const field = (value, bits, scale = 1) => {
    if (value % scale || value < 0 || value / scale >= 1 << bits) throw new Error(`${value} does not fit`);
    return value / scale;
};
const threeRegisters = (base) => (d, n, m) => base | (low(m) << 6) | (low(n) << 3) | low(d);
const twoRegisters = (base) => (d, m) => base | (low(m) << 3) | low(d);
const immediate8 = (base) => (d, value) => base | (low(d) << 8) | field(value, 8);
const immediate5 = (base, scale) => (d, n, value) => base | (field(value, 5, scale) << 6) | (low(n) << 3) | low(d);
const registerList = (base) => (n, list) => base | (low(n) << 8) | field(list, 8);
// The highest bit of a list is lr (push) or pc (pop), which take the place of bit 8.
const stackList = (base, special) => (list) => base | (list & (1 << special) ? 0x100 : 0) | field(list & ~(1 << special), 8);

const CONDITIONS = { eq: 0, ne: 1, hs: 2, lo: 3, mi: 4, pl: 5, hi: 8, ls: 9, ge: 10, lt: 11, gt: 12, le: 13 };

// "mnemonic shapes" -> encoder. Shapes: r a register, # a number, {} a register list, r! a base written back.
const ENCODERS = {
    "lsls r,r,#": immediate5(0x0000, 1),
    "lsrs r,r,#": immediate5(0x0800, 1),
    "adds r,r,r": threeRegisters(0x1800),
    "subs r,r,r": threeRegisters(0x1a00),
    "adds r,r,#": (d, n, value) => 0x1c00 | (field(value, 3) << 6) | (low(n) << 3) | low(d),
    "movs r,#": immediate8(0x2000),
    "cmp r,#": immediate8(0x2800),
    "adds r,#": immediate8(0x3000),
    "subs r,#": immediate8(0x3800),
    "ands r,r": twoRegisters(0x4000),
    "eors r,r": twoRegisters(0x4040),
    "cmp r,r": twoRegisters(0x4280),
    "orrs r,r": twoRegisters(0x4300),
    "muls r,r": twoRegisters(0x4340),
    "mov r,r": (d, m) => 0x4600 | ((d & 8) << 4) | (m << 3) | (d & 7),
    "bx r": (m) => 0x4700 | (m << 3),
    "str r,[r,#]": immediate5(0x6000, 4),
    "ldr r,[r,#]": immediate5(0x6800, 4),
    "strb r,[r,#]": immediate5(0x7000, 1),
    "ldrb r,[r,#]": immediate5(0x7800, 1),
    "ldrh r,[r,#]": immediate5(0x8800, 2),
    "stmia r!,{}": registerList(0xc000),
    "ldmia r!,{}": registerList(0xc800),
    "push {}": stackList(0xb400, 14),
    "pop {}": stackList(0xbc00, 15),
    "uxtb r,r": twoRegisters(0xb2c0),
    "bkpt #": (value) => 0xbe00 | field(value, 8),
    wfi: () => 0xbf30,
};

const REGISTERS = { sp: 13, lr: 14, pc: 15 };
for (let i = 0; i < 16; i++) REGISTERS[`r${i}`] = i;

export function assemble(source, origin = 0) {
    const lines = source.split("\n").map((line) => line.split(";")[0].trim());
    const labels = {};
    for (const write of [false, true]) {
        // Two passes: the first one only finds out where the labels are.
        var output = new Output(origin, labels, write);
        lines.forEach((line, index) => {
            try {
                if (line) output.line(line);
            } catch (error) {
                throw new Error(`line ${index + 1}: ${line}: ${error.message}`);
            }
        });
    }
    return { bytes: Uint8Array.from(output.bytes), labels };
}

class Output {
    constructor(origin, labels, isLastPass) {
        Object.assign(this, { origin, labels, isLastPass, bytes: [] });
    }

    get here() {
        return this.origin + this.bytes.length;
    }

    line(text) {
        const label = text.match(/^(\w+):$/);
        if (label) this.labels[label[1]] = this.here;
        else if (text.startsWith(".")) this.directive(...text.split(/\s+(.*)/));
        else this.instruction(...text.split(/\s+(.*)/));
    }

    directive(name, argument) {
        const sizes = { ".byte": 1, ".hword": 2, ".word": 4 };
        if (name === ".align") while (this.here % Number(argument)) this.bytes.push(0);
        else if (name === ".ascii") this.bytes.push(...Buffer.from(argument.slice(1, -1)));
        else if (name in sizes) argument.split(",").forEach((value) => this.number(this.value(value.trim()), sizes[name]));
        else throw new Error("unknown directive");
    }

    instruction(mnemonic, operands = "") {
        const condition = CONDITIONS[mnemonic.slice(1)];
        if (mnemonic === "b") return this.number(0xe000 | (this.offset(operands, 11) & 0x7ff), 2);
        if (mnemonic[0] === "b" && condition !== undefined && mnemonic !== "bics")
            return this.number(0xd000 | (condition << 8) | (this.offset(operands, 8) & 0xff), 2);
        if (mnemonic === "ldr" && /,\s*\w+$/.test(operands)) return this.literal(...operands.split(/,\s*/));
        if (mnemonic === "msr") return this.systemRegister(operands);
        const { shape, values } = parseOperands(operands);
        const encode = ENCODERS[`${mnemonic} ${shape}`.trim()];
        if (!encode) throw new Error("no such instruction");
        this.number(encode(...values), 2);
    }

    literal(register, label) {
        const distance = this.isLastPass ? this.value(label) - ((this.here + 4) & ~3) : 0;
        this.number(0x4800 | (low(REGISTERS[register]) << 8) | field(distance, 8, 4), 2);
    }

    systemRegister(operands) {
        const [name, register] = operands.split(/,\s*/);
        if (name !== "msp") throw new Error("only msp");
        this.number(0xf380 | REGISTERS[register], 2);
        this.number(0x8808, 2);
    }

    offset(label, bits) {
        const distance = this.isLastPass ? (this.value(label) - this.here - 4) / 2 : 0;
        if (Math.abs(distance) >= 1 << (bits - 1)) throw new Error("too far");
        return distance;
    }

    // A number, a label, or label+number (a function's address is its label+1).
    value(text) {
        if (/^\d/.test(text)) return Number(text);
        const [name, plus = "0"] = text.split("+");
        if (this.isLastPass && !(name in this.labels)) throw new Error(`no label ${name}`);
        return (this.labels[name] ?? 0) + Number(plus);
    }

    number(value, size) {
        for (let i = 0; i < size; i++) this.bytes.push(Math.floor(value / 2 ** (8 * i)) & 0xff);
    }
}

function parseOperands(text) {
    const values = [];
    const shape = text
        .replace(/\{(.*)\}/, (_, list) => (values.push(list), "{}"))
        .replace(/\b(r\d+|sp|lr|pc)\b/g, (name) => (values.push(REGISTERS[name]), "r"))
        .replace(/#(\w+)/g, (_, number) => (values.push(Number(number)), "#"))
        .replace(/\s/g, "");
    // The list was taken out first, and comes last in every instruction that has one.
    const list = values.findIndex((value) => typeof value === "string");
    if (list >= 0) values.push(bitsOf(values.splice(list, 1)[0]));
    return { shape, values };
}

function bitsOf(list) {
    return list
        .split(",")
        .map((name) => 1 << REGISTERS[name.trim()])
        .reduce((bits, bit) => bits | bit);
}
