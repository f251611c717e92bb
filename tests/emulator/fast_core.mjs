// The instructions that a firmware executes most, in a form that is quick to emulate; the package does all the others.
//
// quicken(rp2040) replaces core.executeInstruction. Registers, flags, memory and cycles stay those of the package's
// interpreter: pieces/fast_core.test.mjs runs both on the same instructions, and `run.mjs --slow` a whole firmware. What
// makes it quick: one jump by the opcode's upper bits in place of up to eighty comparisons, and memory.mjs.
// Instructions: ARMv6-M Architecture Reference Manual, A5.2 and A6.7.

import { Memory } from "./memory.mjs";

const SP = 13, LR = 14, PC = 15;

export function quicken(rp2040) {
    const { core } = rp2040;
    const r = new Int32Array(core.registers.buffer); // the same registers, signed
    const memory = new Memory(rp2040);
    const executeOther = core.executeInstruction;

    const setNZ = (result) => {
        core.N = result < 0;
        core.Z = result === 0;
        return result;
    };
    const add = (a, b) => {
        const result = (a + b) | 0;
        core.C = (result >>> 0) < (a >>> 0);
        core.V = ((a ^ result) & (b ^ result)) < 0;
        return setNZ(result);
    };
    const subtract = (a, b) => {
        const result = (a - b) | 0;
        core.C = (a >>> 0) >= (b >>> 0);
        core.V = ((a ^ b) & (a ^ result)) < 0;
        return setNZ(result);
    };

    // 010000: two low registers. Returns false for what is left to the package: shifts by a register, carries, rotation.
    const calculate = (opcode) => {
        const d = opcode & 7, operand = r[(opcode >> 3) & 7];
        switch ((opcode >> 6) & 15) {
            case 0: r[d] = setNZ(r[d] & operand); return true;
            case 1: r[d] = setNZ(r[d] ^ operand); return true;
            case 8: setNZ(r[d] & operand); return true;
            case 9: r[d] = subtract(0, operand); return true;
            case 10: subtract(r[d], operand); return true;
            case 12: r[d] = setNZ(r[d] | operand); return true;
            case 13: r[d] = setNZ(Math.imul(r[d], operand)); return true;
            case 14: r[d] = setNZ(r[d] & ~operand); return true;
            case 15: r[d] = setNZ(~operand); return true;
            default: return false;
        }
    };

    // 010001: any two registers, and branches to a register. False where the package has to do it.
    const moveOrBranch = (opcode, pc) => {
        const d = ((opcode >> 4) & 8) | (opcode & 7), m = (opcode >> 3) & 15;
        const kind = (opcode >> 8) & 3;
        if (kind === 3) {
            const target = r[m];
            if (m === PC || opcode & 7 || target >>> 28 === 15) return false; // undefined, or return from an exception
            if (opcode & 0x80) r[LR] = (pc + 2) | 1;
            r[PC] = target & ~1;
            core.cycles += 1;
        } else if (d >= SP || m === PC) return false;
        else if (kind === 0) r[d] += r[m];
        else if (kind === 1) subtract(r[d], r[m]);
        else r[d] = r[m];
        return true;
    };

    // 0101: load or store with a register for offset
    const transfer = (opcode) => {
        const d = opcode & 7, address = (r[(opcode >> 3) & 7] + r[(opcode >> 6) & 7]) >>> 0;
        switch ((opcode >> 9) & 7) {
            case 0: return memory.store32(address, r[d]);
            case 1: return memory.store16(address, r[d]);
            case 2: return memory.store8(address, r[d]);
            case 3: return void (r[d] = (memory.load8(address) << 24) >> 24);
            case 4: return void (r[d] = memory.load32(address));
            case 5: return void (r[d] = memory.load16(address));
            case 6: return void (r[d] = memory.load8(address));
            case 7: return void (r[d] = (memory.load16(address) << 16) >> 16);
        }
    };

    // 1011: the stack, and widening. False for all else.
    const miscellaneous = (opcode) => {
        switch ((opcode >> 8) & 15) {
            case 0:
                r[SP] += (opcode & 0x80 ? -4 : 4) * (opcode & 0x7f);
                return true;
            case 2:
                r[opcode & 7] = widen((opcode >> 6) & 3, r[(opcode >> 3) & 7]);
                return true;
            case 4:
            case 5:
                return push(opcode & 0xff, opcode & 0x100);
            case 12:
            case 13:
                return pop(opcode & 0xff, opcode & 0x100);
            default:
                return false;
        }
    };
    const push = (list, withLR) => {
        let at = r[SP] - 4 * (countOnes(list) + (withLR ? 1 : 0));
        if (!memory.isRam(at) || !memory.isRam(r[SP] - 4)) return false;
        r[SP] = at;
        for (let i = 0; list >> i; i++) {
            if ((list >> i) & 1) at = memory.push(at, r[i]);
        }
        if (withLR) memory.push(at, r[LR]);
        core.cycles += countOnes(list);
        return true;
    };
    const pop = (list, withPC) => {
        const count = countOnes(list);
        let at = r[SP];
        if (!memory.isRam(at) || !memory.isRam(at + 4 * count)) return false;
        if (withPC && memory.peek(at + 4 * count) >>> 28 === 15) return false; // return from an exception
        for (let i = 0; list >> i; i++) {
            if (!((list >> i) & 1)) continue;
            r[i] = memory.peek(at);
            at += 4;
        }
        if (withPC) {
            r[PC] = memory.peek(at) & ~1;
            at += 4;
            core.cycles += 2;
        }
        r[SP] = at;
        core.cycles += count;
        return true;
    };

    // ldmia, stmia: with the base written back, unless it has been loaded
    const transferMany = (opcode) => {
        const base = (opcode >> 8) & 7, list = opcode & 0xff, isLoad = opcode & 0x800;
        let at = r[base];
        if (!list || !memory.isRam(at) || !memory.isRam(at + 4 * countOnes(list) - 4) || (!isLoad && (list >> base) & 1)) return false;
        for (let i = 0; list >> i; i++) {
            if (!((list >> i) & 1)) continue;
            if (isLoad) r[i] = memory.peek(at);
            else memory.push(at, r[i]);
            at += 4;
        }
        if (!((list >> base) & 1)) r[base] = at;
        core.cycles += countOnes(list);
        return true;
    };

    const branchAndLink = (opcode, second, pc) => {
        const s = (opcode << 21) >> 31;
        const i1 = ~((second >> 13) ^ s) & 1, i2 = ~((second >> 11) ^ s) & 1;
        const offset = (s << 24) | (i1 << 23) | (i2 << 22) | ((opcode & 0x3ff) << 12) | ((second & 0x7ff) << 1);
        r[LR] = (pc + 4) | 1;
        r[PC] = pc + 4 + offset;
        core.cycles += 2;
    };

    core.executeInstruction = () => {
        const pc = r[PC];
        if (core.interruptsUpdated || !memory.isCode(pc)) return executeOther.call(core);
        const opcode = memory.fetch(pc);
        const d = opcode & 7, m = (opcode >> 3) & 7, high = (opcode >> 8) & 7, imm5 = (opcode >> 6) & 31, imm8 = opcode & 0xff;
        r[PC] = pc + 2;
        switch (opcode >> 11) {
            case 0b00000: { // lsls
                const value = r[m];
                if (imm5) core.C = ((value >>> (32 - imm5)) & 1) !== 0;
                r[d] = setNZ(value << imm5);
                break;
            }
            case 0b00001:
            case 0b00010: { // lsrs, asrs
                const value = r[m];
                core.C = ((value >> ((imm5 || 32) - 1)) & 1) !== 0;
                const fill = opcode & 0x1000 ? value >> 31 : 0;
                r[d] = setNZ(!imm5 ? fill : opcode & 0x1000 ? value >> imm5 : value >>> imm5 | 0);
                break;
            }
            case 0b00011: {
                const operand = opcode & 0x400 ? imm5 & 7 : r[imm5 & 7];
                r[d] = opcode & 0x200 ? subtract(r[m], operand) : add(r[m], operand);
                break;
            }
            case 0b00100: r[high] = setNZ(imm8); break;
            case 0b00101: subtract(r[high], imm8); break;
            case 0b00110: r[high] = add(r[high], imm8); break;
            case 0b00111: r[high] = subtract(r[high], imm8); break;
            case 0b01000:
                if (opcode & 0x400 ? moveOrBranch(opcode, pc) : calculate(opcode)) break;
                r[PC] = pc;
                return executeOther.call(core);
            case 0b01001: // ldr from the literal pool
                r[high] = memory.load32(((pc + 4) & ~3) + 4 * imm8);
                core.cycles += 1;
                break;
            case 0b01010:
            case 0b01011:
                transfer(opcode);
                core.cycles += 1;
                break;
            case 0b01100: memory.store32((r[m] + 4 * imm5) >>> 0, r[d]); core.cycles += 1; break;
            case 0b01101: r[d] = memory.load32((r[m] + 4 * imm5) >>> 0); core.cycles += 1; break;
            case 0b01110: memory.store8((r[m] + imm5) >>> 0, r[d]); core.cycles += 1; break;
            case 0b01111: r[d] = memory.load8((r[m] + imm5) >>> 0); core.cycles += 1; break;
            case 0b10000: memory.store16((r[m] + 2 * imm5) >>> 0, r[d]); core.cycles += 1; break;
            case 0b10001: r[d] = memory.load16((r[m] + 2 * imm5) >>> 0); core.cycles += 1; break;
            case 0b10010: memory.store32((r[SP] + 4 * imm8) >>> 0, r[high]); core.cycles += 1; break;
            case 0b10011: r[high] = memory.load32((r[SP] + 4 * imm8) >>> 0); core.cycles += 1; break;
            case 0b10100: r[high] = ((pc + 4) & ~3) + 4 * imm8; break;
            case 0b10101: r[high] = r[SP] + 4 * imm8; break;
            case 0b10110:
            case 0b10111:
                if (miscellaneous(opcode)) break;
                r[PC] = pc;
                return executeOther.call(core);
            case 0b11000:
            case 0b11001:
                if (transferMany(opcode)) break;
                r[PC] = pc;
                return executeOther.call(core);
            case 0b11010:
            case 0b11011: { // conditional branches
                const condition = (opcode >> 8) & 15;
                if (condition < 14) {
                    if (core.checkCondition(condition)) {
                        r[PC] = pc + 4 + ((opcode << 24) >> 23);
                        core.cycles += 1;
                    }
                    break;
                }
                r[PC] = pc;
                return executeOther.call(core);
            }
            case 0b11100: // b
                r[PC] = pc + 4 + ((opcode << 21) >> 20);
                core.cycles += 1;
                break;
            case 0b11110: {
                const second = memory.isCode(pc + 2) ? memory.fetch(pc + 2) : 0;
                if ((second & 0xd000) === 0xd000) {
                    branchAndLink(opcode, second, pc);
                    break;
                }
                r[PC] = pc;
                return executeOther.call(core);
            }
            default:
                r[PC] = pc;
                return executeOther.call(core);
        }
        core.cycles += 1;
    };
}

const widen = (kind, value) =>
    kind === 0 ? (value << 16) >> 16 : kind === 1 ? (value << 24) >> 24 : kind === 2 ? value & 0xffff : value & 0xff;

function countOnes(list) {
    let count = 0;
    for (; list; list &= list - 1) count++;
    return count;
}
