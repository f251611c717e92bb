// One RP2040 from power-on to its reset: the package's processor and peripherals, with our own parts in place.
//
// A chip is built anew for every reset (see pico.mjs). `run` executes instructions; whatever ends that early is thrown:
// Reset, PowerCut (flash.mjs) or Fault.

import { BasePeripheral, RP2040 } from "rp2040js";
import { buildBootrom, SIZE as ROM_SIZE } from "./bootrom.mjs";
import { CycleClock } from "./clock.mjs";
import { connectCyclesRegister } from "./cycles_register.mjs";
import { quicken } from "./fast_core.mjs";
import { connectFlashPort } from "./flash_port.mjs";
import { connectOscillator } from "./oscillator.mjs";
import { watchForReset } from "./reset.mjs";
import { connectSecondCore } from "./second_core.mjs";
import { Uart } from "./uart.mjs";
import { connectFrames } from "./usb_frames.mjs";

const bootrom = buildBootrom();

// The firmware has done what stops a real board: a breakpoint, an unaligned access, a missing ROM function.
export class Fault extends Error {}

// The board waits for a new firmware in the boot ROM's USB loader, which is not emulated.
export class UsbBoot extends Error {}

export class Chip {
    // flash: NorFlash; uniqueId: its 8 bytes; random(): 32 bits; cyclesBefore: on earlier chips of this board;
    // verbose: report every access to what is not emulated; slow: the package's own interpreter, unaided
    constructor({ flash, uniqueId, random, cyclesBefore = 0, verbose = false, slow = false }) {
        this.flash = flash;
        this.clock = new CycleClock();
        const rp2040 = (this.rp2040 = new RP2040(this.clock));
        this.core = rp2040.core;
        rp2040.logger = new Logger(verbose);
        rp2040.loadBootrom(bootrom.words); // which also clears the package's own flash, so ours comes after it
        rp2040.flash = flash.bytes;
        rp2040.flashView = new DataView(flash.bytes.buffer);
        this.clock.attach(this.core);
        rp2040.addClockListener((hertz) => this.clock.setFrequency(hertz));
        rp2040.onBreak = (number) => this.#hostCall(number);
        this.#connectUarts();
        connectFrames(rp2040.usbCtrl, this.clock);
        connectFlashPort(rp2040, uniqueId);
        connectOscillator(rp2040, random);
        connectCyclesRegister(rp2040, () => cyclesBefore + this.core.cycles);
        connectSecondCore(rp2040, () => this.fault("the firmware starts the second core, which is not emulated"));
        watchForReset(rp2040);
        if (!slow) quicken(rp2040);
    }

    get isAsleep() {
        return this.core.waiting;
    }

    // Execute instructions until the processor sleeps or its counter reaches `cycles`.
    run(cycles) {
        const { core, clock } = this;
        try {
            while (core.cycles < cycles && !core.waiting) {
                core.executeInstruction();
                if (core.cycles >= clock.deadline) clock.fire();
            }
        } catch (error) {
            throw error instanceof Error && error.constructor === Error ? this.#describe(error.message) : error;
        }
    }

    // Let a sleeping processor sleep for `nanos`, or up to its next alarm.
    sleep(nanos = Infinity) {
        this.clock.spend(Math.max(0, Math.min(nanos, this.clock.nanosToDeadline)));
        if (this.core.cycles >= this.clock.deadline) this.clock.fire();
    }

    // Called by the boot ROM

    eraseFlash(offset, size) {
        this.clock.spend(this.flash.erase(offset, size));
    }

    programFlash(offset, address, size) {
        const data = Uint8Array.from({ length: size }, (_, index) => this.rp2040.readUint8(address + index));
        this.clock.spend(this.flash.program(offset, data));
    }

    usbBoot() {
        throw new UsbBoot("the firmware has started the USB boot loader");
    }

    fault(why) {
        throw this.#describe(why);
    }

    #hostCall(number) {
        const call = bootrom.calls[number];
        if (this.core.PC >= ROM_SIZE || !call) this.fault(`breakpoint ${number}`);
        this.core.cycles += call.cycles ?? 0;
        call.run(this.core.registers, this);
    }

    #connectUarts() {
        this.uarts = [0, 1].map((index) => new Uart(this.rp2040, index));
        this.rp2040.uart = this.uarts;
        this.rp2040.peripherals[0x40034] = this.uarts[0];
        this.rp2040.peripherals[0x40038] = this.uarts[1];
        this.rp2040.peripherals[0x40064] = new VoltageRegulator(this.rp2040, "VREG_AND_CHIP_RESET");
    }

    #describe(why) {
        const registers = [...this.core.registers].map((value, index) => `r${index}=${value.toString(16).padStart(8, "0")}`);
        return new Fault(`${why}\n  ${registers.slice(0, 8).join(" ")}\n  ${registers.slice(8).join(" ")}`);
    }
}

// What the package calls an error (an unaligned access) ends the run; the rest is of interest only when looking for it.
class Logger {
    constructor(verbose) {
        this.verbose = verbose;
    }

    debug() {}

    info() {}

    warn(part, message) {
        if (this.verbose) process.stderr.write(`[${part}] ${message}\n`);
    }

    error(part, message) {
        throw new Error(`${part}: ${message}`);
    }
}

class VoltageRegulator extends BasePeripheral {
    readUint32() {
        return 0;
    }

    writeUint32() {}
}
