// A PL011 UART that takes the time its baud rate says, in place of the package's, whose transmitter is always empty.
//
// FIFOs of 32, transmit, receive and receive-timeout interrupts, and a byte stream on the outside: `onTransmit(bytes)`
// is called with what the firmware sent, `receive(bytes)` queues what it shall get. Bytes come in at the line's speed
// and wait while the FIFO is full, as if RTS and CTS were wired: nothing is lost while the UART is enabled, everything
// while it is not. No DMA requests, no breaks, no errors. Registers: RP2040 datasheet 4.2.8.

import { BasePeripheral } from "rp2040js";

const DR = 0x00, FR = 0x18, IBRD = 0x24, FBRD = 0x28, LCR_H = 0x2c, CR = 0x30, IFLS = 0x34;
const IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44;

const FR_TXFE = 1 << 7, FR_RXFF = 1 << 6, FR_TXFF = 1 << 5, FR_RXFE = 1 << 4, FR_BUSY = 1 << 3;
const LCR_WORD_LENGTH = 5, LCR_FIFOS = 1 << 4, LCR_TWO_STOP_BITS = 1 << 3, LCR_PARITY = 1 << 1;
const CR_ENABLE = 1 << 0, CR_TRANSMIT = 1 << 8, CR_RECEIVE = 1 << 9;
const RECEIVED = 1 << 4, TRANSMITTED = 1 << 5, TIMED_OUT = 1 << 6;

const FIFO_DEPTH = 32;
const LEVELS = [4, 8, 16, 24, 28]; // of 32, as IFLS selects them
const TIMEOUT_BITS = 32;
const INTERRUPTS = [20, 21];

export class Uart extends BasePeripheral {
    constructor(rp2040, index) {
        super(rp2040, `UART${index}`);
        this.interrupt = INTERRUPTS[index];
        this.registers = { [CR]: CR_TRANSMIT | CR_RECEIVE, [IFLS]: 0b010010, [IMSC]: 0, [IBRD]: 0, [FBRD]: 0, [LCR_H]: 0 };
        this.status = 0; // raw interrupts
        this.toSend = [];
        this.sending = null;
        this.received = [];
        this.line = Buffer.alloc(0); // on its way to the receiver
        this.lineBusy = false;
        this.onTransmit = () => {};
        this.transmitAlarm = rp2040.clock.createAlarm(() => this.#sent());
        this.receiveAlarm = rp2040.clock.createAlarm(() => this.#arrived());
        this.timeoutAlarm = rp2040.clock.createAlarm(() => this.#raise(TIMED_OUT));
    }

    // From outside
    receive(bytes) {
        if (!this.#isEnabled(CR_RECEIVE)) return;
        this.line = Buffer.concat([this.line, bytes]);
        this.#nextFromLine();
    }

    readUint32(offset) {
        if (offset === DR) return this.#read();
        if (offset === FR) return this.#flags();
        if (offset === RIS) return this.status;
        if (offset === MIS) return this.status & this.registers[IMSC];
        return this.registers[offset] ?? 0;
    }

    writeUint32(offset, value) {
        if (offset === DR) return this.#write(value & 0xff);
        if (offset === ICR) this.status &= ~this.rawWriteValue;
        else this.registers[offset] = value >>> 0;
        if (offset === CR && !this.#isEnabled(CR_RECEIVE)) this.line = Buffer.alloc(0);
        this.#updateInterrupt();
    }

    clkPeriChanged() {} // the bit's length is worked out for every byte

    get #depth() {
        return this.registers[LCR_H] & LCR_FIFOS ? FIFO_DEPTH : 1;
    }

    // Bytes in the receiver (shift 3) or left in the transmitter (shift 0) at which an interrupt is due
    #level(shift) {
        return this.#depth === 1 ? 1 - (shift === 0) : LEVELS[Math.min((this.registers[IFLS] >> shift) & 7, 4)];
    }

    get #bitNanos() {
        const divisor = this.registers[IBRD] + this.registers[FBRD] / 64 || 1;
        return (16e9 * divisor) / this.rp2040.clkPeri;
    }

    get #byteNanos() {
        const format = this.registers[LCR_H];
        const dataBits = 5 + ((format >> LCR_WORD_LENGTH) & 3);
        const bits = 1 + dataBits + !!(format & LCR_PARITY) + (format & LCR_TWO_STOP_BITS ? 2 : 1);
        return bits * this.#bitNanos;
    }

    #isEnabled(direction) {
        const needed = CR_ENABLE | direction;
        return (this.registers[CR] & needed) === needed;
    }

    #flags() {
        return (this.toSend.length ? 0 : FR_TXFE) | (this.toSend.length >= this.#depth ? FR_TXFF : 0)
            | (this.received.length ? 0 : FR_RXFE) | (this.received.length >= this.#depth ? FR_RXFF : 0)
            | (this.sending === null ? 0 : FR_BUSY);
    }

    #raise(interrupts) {
        this.status |= interrupts;
        this.#updateInterrupt();
    }

    #updateInterrupt() {
        this.rp2040.setInterrupt(this.interrupt, (this.status & this.registers[IMSC]) !== 0);
    }

    // Transmitter

    #write(byte) {
        if (this.toSend.length < this.#depth) this.toSend.push(byte);
        if (this.toSend.length > this.#level(0)) this.status &= ~TRANSMITTED;
        if (this.sending === null) this.#nextToSend();
        this.#updateInterrupt();
    }

    #nextToSend() {
        this.sending = this.toSend.shift() ?? null;
        if (this.sending === null) return;
        if (this.toSend.length === this.#level(0)) this.#raise(TRANSMITTED);
        this.transmitAlarm.schedule(this.#byteNanos);
    }

    #sent() {
        if (this.#isEnabled(CR_TRANSMIT)) this.onTransmit(Buffer.of(this.sending));
        this.#nextToSend();
    }

    // Receiver

    #nextFromLine() {
        if (this.lineBusy || !this.line.length || this.received.length >= this.#depth) return;
        this.lineBusy = true;
        this.receiveAlarm.schedule(this.#byteNanos);
    }

    #arrived() {
        this.lineBusy = false;
        if (!this.line.length) return;
        this.received.push(this.line[0]);
        this.line = this.line.subarray(1);
        if (this.received.length >= this.#level(3)) this.status |= RECEIVED;
        this.timeoutAlarm.schedule(TIMEOUT_BITS * this.#bitNanos);
        this.#updateInterrupt();
        this.#nextFromLine();
    }

    #read() {
        const byte = this.received.shift() ?? 0;
        if (this.received.length < this.#level(3)) this.status &= ~RECEIVED;
        if (this.received.length) this.timeoutAlarm.schedule(TIMEOUT_BITS * this.#bitNanos);
        else {
            this.timeoutAlarm.cancel();
            this.status &= ~TIMED_OUT;
        }
        this.#updateInterrupt();
        this.#nextFromLine();
        return byte;
    }
}
