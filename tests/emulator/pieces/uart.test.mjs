import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { benchChip } from "./bench_chip.mjs";

const DR = 0x00, FR = 0x18, IBRD = 0x24, FBRD = 0x28, LCR_H = 0x2c, CR = 0x30, IFLS = 0x34, RIS = 0x3c, ICR = 0x44;
const TXFE = 0x80, RXFF = 0x40, TXFF = 0x20, RXFE = 0x10, BUSY = 0x08;
const RECEIVED = 0x10, TRANSMITTED = 0x20, TIMED_OUT = 0x40;
const BYTE_NANOS = 3200; // ten bits of 16 clocks at 125 MHz, divided by 2.5: 3.125 Mbaud

let chip, uart, sent;
beforeEach(() => {
    chip = benchChip();
    uart = chip.uarts[0];
    sent = [];
    uart.onTransmit = (bytes) => sent.push(...bytes);
    for (const [register, value] of [[IBRD, 2], [FBRD, 32], [LCR_H, 0x70], [IFLS, 0], [CR, 0x301]]) uart.writeUint32(register, value);
});
const pass = (nanos) => {
    chip.core.cycles += nanos / 8;
    chip.clock.fire();
};
const flags = () => uart.readUint32(FR);

test("a byte takes its time on the line", () => {
    uart.writeUint32(DR, 0x41);
    assert.equal(flags(), TXFE | RXFE | BUSY);
    pass(BYTE_NANOS - 8);
    assert.deepEqual(sent, []);
    pass(8);
    assert.deepEqual(sent, [0x41]);
    assert.equal(flags(), TXFE | RXFE);
});

test("the transmitter takes 32 bytes and the one that it sends; what comes on top is lost, as in the chip", () => {
    for (let byte = 0; byte < 40; byte++) uart.writeUint32(DR, byte);
    assert.ok(flags() & TXFF);
    pass(40 * BYTE_NANOS);
    assert.deepEqual(sent, Array.from({ length: 33 }, (_, index) => index));
});

test("the transmit interrupt comes when four are left, once, and not while it is idle", () => {
    assert.equal(uart.readUint32(RIS), 0);
    for (let byte = 0; byte < 6; byte++) uart.writeUint32(DR, byte);
    assert.equal(uart.readUint32(RIS) & TRANSMITTED, 0);
    pass(BYTE_NANOS);
    assert.equal(uart.readUint32(RIS) & TRANSMITTED, TRANSMITTED);
    uart.writeUint32Atomic(ICR, TRANSMITTED, 0);
    pass(10 * BYTE_NANOS);
    assert.equal(uart.readUint32(RIS) & TRANSMITTED, 0);
});

test("bytes arrive at the line's speed, and wait on it while the FIFO is full: none is lost", () => {
    const bytes = Buffer.from(Array.from({ length: 100 }, (_, index) => index));
    uart.receive(bytes);
    pass(2 * BYTE_NANOS);
    assert.equal(uart.received.length, 2);
    pass(1000 * BYTE_NANOS);
    assert.ok(flags() & RXFF);
    const got = [];
    while (got.length < 100) {
        while (!(flags() & RXFE)) got.push(uart.readUint32(DR));
        pass(BYTE_NANOS);
    }
    assert.deepEqual(Buffer.from(got), bytes);
});

test("the receive interrupt at four bytes goes when they are read; a pause of 32 bits raises the time-out", () => {
    uart.receive(Buffer.from([1, 2, 3, 4, 5]));
    pass(4 * BYTE_NANOS);
    assert.equal(uart.readUint32(RIS), RECEIVED);
    uart.readUint32(DR);
    uart.readUint32(DR);
    assert.equal(uart.readUint32(RIS), 0);
    pass(BYTE_NANOS + 32 * 320);
    assert.equal(uart.readUint32(RIS), TIMED_OUT);
    while (!(flags() & RXFE)) uart.readUint32(DR);
    assert.equal(uart.readUint32(RIS), 0);
});

test("a time-out that was cleared comes again while something is left to read", () => {
    uart.receive(Buffer.from([1, 2]));
    pass(2 * BYTE_NANOS + 32 * 320);
    uart.writeUint32Atomic(ICR, TIMED_OUT, 0);
    uart.readUint32(DR);
    pass(32 * 320);
    assert.equal(uart.readUint32(RIS), TIMED_OUT);
});

test("a UART that is off hears nothing", () => {
    uart.writeUint32(CR, 0x300);
    uart.receive(Buffer.from([1]));
    uart.writeUint32(CR, 0x301);
    pass(10 * BYTE_NANOS);
    assert.equal(flags() & RXFE, RXFE);
});

test("the interrupt line follows the mask", () => {
    const pending = () => (chip.core.pendingInterrupts >>> 20) & 1;
    uart.receive(Buffer.from([1, 2, 3, 4]));
    pass(4 * BYTE_NANOS);
    assert.equal(pending(), 0);
    uart.writeUint32(0x38, RECEIVED);
    assert.equal(pending(), 1);
});
