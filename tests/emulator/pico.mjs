// A Raspberry Pi Pico: flash, a chip that is replaced at every reset, and cables that stay plugged in.
//
//   const pico = new Pico({ flash, seed });
//   pico.serial.onReceive = (bytes) => ...      USB serial port: serial.send(bytes)
//   pico.uart[0].onTransmit = (bytes) => ...    UARTs: uart[0].receive(bytes)
//   pico.run(pico.cycles + 1_000_000)           until that cycle, or until the processor sleeps

import { Chip } from "./chip.mjs";
import { seededRandom } from "./oscillator.mjs";
import { Reset, carryOver } from "./reset.mjs";
import { UsbSerial } from "./usb_serial.mjs";

export class Pico {
    // flash: NorFlash with a firmware in it; seed: a number that makes this board's id and randomness;
    // verbose, slow: see Chip
    constructor({ flash, seed = 1, verbose = false, slow = false }) {
        this.flash = flash;
        this.random = seededRandom(seed);
        this.uniqueId = Uint8Array.from({ length: 8 }, () => this.random() & 0xff);
        this.verbose = verbose;
        this.slow = slow;
        this.serial = new UsbSerial();
        this.uart = [0, 1].map((index) => new Cable(this, index));
        this.resets = 0;
        this.onReset = () => {};
        this.cyclesBefore = 0; // on the chips before this one
        this.#powerOn();
    }

    // Cycles since power-on: instructions, and the time asleep or waiting for the flash.
    get cycles() {
        return this.cyclesBefore + this.chip.core.cycles;
    }

    get nanosToAlarm() {
        return this.chip.clock.nanosToDeadline;
    }

    get isAsleep() {
        return this.chip.isAsleep;
    }

    run(cycles) {
        this.#untilReset(() => this.chip.run(cycles - this.cyclesBefore));
    }

    sleep(nanos) {
        this.#untilReset(() => this.chip.sleep(nanos));
    }

    // The reset button (the RUN pin): no reason is left behind for the firmware.
    reset() {
        this.#restart(new Reset(0, new Uint32Array(8)));
    }

    #untilReset(action) {
        try {
            action();
        } catch (error) {
            if (!(error instanceof Reset)) throw error;
            this.#restart(error);
        }
    }

    #restart(reset) {
        this.resets += 1;
        this.cyclesBefore = this.cycles;
        this.#powerOn();
        carryOver(reset, this.chip.rp2040);
        this.onReset(reset);
    }

    #powerOn() {
        this.chip = new Chip(this);
        this.serial.attach(this.chip.rp2040.usbCtrl);
        this.uart.forEach((cable) => cable.plugIn());
    }
}

// A UART's wires: they outlive the chip.
class Cable {
    constructor(pico, index) {
        Object.assign(this, { pico, index, onTransmit: () => {} });
    }

    plugIn() {
        this.pico.chip.uarts[this.index].onTransmit = (bytes) => this.onTransmit(bytes);
    }

    receive(bytes) {
        this.pico.chip.uarts[this.index].receive(bytes);
    }
}
