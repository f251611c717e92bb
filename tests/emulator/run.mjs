// Command line: a Pico with a firmware, from power-on until it is stopped. `node run.mjs --help`

import { appendFileSync, readFileSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { Fault, UsbBoot } from "./chip.mjs";
import { readFirmware } from "./firmware.mjs";
import { NorFlash, PowerCut } from "./flash.mjs";
import { Pace } from "./pace.mjs";
import { Pico } from "./pico.mjs";
import { openPty } from "./pty.mjs";
import { RawRepl } from "./repl.mjs";
import { listenForUart } from "./socket.mjs";

const HELP = `Usage: node run.mjs FIRMWARE [options]

A Raspberry Pi Pico with FIRMWARE (.bin or .elf) in its flash. Without --pty, --exec and --control its serial port is
this terminal; Ctrl-] ends it.

  --flash FILE          keep the flash's contents in FILE (2 MB, made if need be); else they are forgotten
  --pty                 serial port as a pseudo-terminal, for mpremote; its path is printed
  --console FILE        append what the board prints to FILE
  --uart-socket PATH    UART0 as a Unix socket
  --uart1-socket PATH   UART1 likewise
  --exec FILE           run this script through the raw REPL, deterministically, and stop
  --cut N[:KIND]        the power fails at flash operation N: before, torn (default) or after it
  --cycles N            stop after N cycles (125,000,000 a second)
  --fast                sleep takes no time: only where nobody outside has to keep up
  --seed N              another board: unique id and randomness (default 1)
  --control             commands on stdin, events on stdout, one JSON object a line (see README.md)
  --slow                the emulator package's own interpreter: half as fast, to the cycle the same
  --verbose             report accesses to what is not emulated

Exit status: 0 stopped, 1 the script or the board failed, 2 usage, 3 power cut.
`;
const OPTIONS = {
    flash: { type: "string" }, pty: { type: "boolean" }, console: { type: "string" }, "uart-socket": { type: "string" },
    "uart1-socket": { type: "string" }, exec: { type: "string" }, cut: { type: "string" }, cycles: { type: "string" },
    fast: { type: "boolean" }, seed: { type: "string" }, control: { type: "boolean" }, verbose: { type: "boolean" },
    slow: { type: "boolean" },
    help: { type: "boolean" },
};
const FLASH_SIZE = 2 << 20;
const CTRL_BRACKET = 0x1d;

class UsageError extends Error {}

function readArguments() {
    const { values: options, positionals } = parse();
    if (options.help) return null;
    if (positionals.length !== 1) throw new UsageError("one firmware, please");
    const [cut, kind = "torn"] = (options.cut ?? "").split(":");
    return {
        ...options,
        firmware: positionals[0],
        cut: options.cut && { operation: count(cut), kind },
        cycles: options.cycles ? count(options.cycles) : Infinity,
        seed: count(options.seed ?? "1"),
    };
}

function parse() {
    try {
        return parseArgs({ options: OPTIONS, allowPositionals: true });
    } catch (error) {
        throw new UsageError(error.message);
    }
}

function count(text) {
    if (!/^[1-9]\d*$/.test(text)) throw new UsageError(`not a number above 0: ${text}`);
    return Number(text);
}

class Session {
    constructor(options) {
        this.options = options;
        this.status = 0;
        this.closers = [];
        this.flash = new NorFlash(FLASH_SIZE, options.flash ?? null);
        for (const { offset, bytes } of readFirmware(options.firmware)) this.flash.install(offset, bytes);
        if (options.cut) this.flash.cutAt(options.cut.operation, options.cut.kind);
        this.pico = new Pico({ flash: this.flash, seed: options.seed, verbose: options.verbose, slow: options.slow });
        this.pace = new Pace(this.pico, { fast: options.fast, hasInput: !options.exec || options.control });
        this.pico.onReset = (reset) => this.report("reset", { reason: String(reset), count: this.pico.resets });
    }

    async run() {
        try {
            await this.#connect();
            await this.pace.run(this.options.cycles);
            this.report("stopped", this.#counters());
        } catch (error) {
            this.status = this.#reportEnd(error);
        }
        for (const close of this.closers) close();
        this.flash.close();
        return this.status;
    }

    report(event, details = {}) {
        if (this.options.control) writeSync(1, `${JSON.stringify({ event, ...details })}\n`);
        else writeSync(2, `[${event} ${Object.values(details).join(" ")}]\n`);
    }

    #counters() {
        return { cycles: this.pico.cycles, flash_operations: this.flash.operations, resets: this.pico.resets };
    }

    #reportEnd(error) {
        if (error instanceof PowerCut) {
            this.report("power cut", { where: error.message, ...this.#counters() });
            return 3;
        }
        if (!(error instanceof Fault || error instanceof UsbBoot)) throw error;
        this.report("fault", { why: error.message, ...this.#counters() });
        return 1;
    }

    async #connect() {
        const { options } = this;
        for (const index of [0, 1]) {
            const path = options[index ? "uart1-socket" : "uart-socket"];
            if (path) await this.#connectUart(index, path);
        }
        if (options.control) this.#obey();
        if (options.exec) this.#execute(options.exec);
        else if (options.pty) await this.#connectPty();
        else if (!options.control) this.#connectTerminal();
        if (options.console) this.#listen((bytes) => appendFileSync(options.console, bytes));
        if (options.control) this.#listen((bytes) => this.report("console", { text: bytes.toString("latin1") }));
    }

    async #connectUart(index, path) {
        const cable = this.pico.uart[index];
        const socket = await listenForUart(path, (bytes) => this.pace.input(() => cable.receive(bytes)));
        const sent = [];
        cable.onTransmit = (bytes) => sent.push(bytes);
        const { onSlice } = this.pace;
        this.pace.onSlice = () => {
            onSlice();
            if (sent.length) socket.send(Buffer.concat(sent.splice(0)));
        };
        this.closers.push(socket.close);
        this.report("uart", { index, path });
    }

    async #connectPty() {
        const pty = await openPty((bytes) => this.#type(bytes));
        this.pico.serial.onReceive = pty.send;
        this.closers.push(pty.close);
        this.report("serial", { path: pty.path });
    }

    #connectTerminal() {
        const { stdin } = process;
        if (stdin.isTTY) stdin.setRawMode(true);
        stdin.on("data", (bytes) => (bytes.includes(CTRL_BRACKET) ? this.pace.stop() : this.#type(bytes)));
        this.pico.serial.onReceive = (bytes) => writeSync(1, bytes);
        this.closers.push(() => stdin.isTTY && stdin.setRawMode(false), () => stdin.destroy());
    }

    #type(bytes) {
        this.pace.input(() => this.pico.serial.send(bytes));
    }

    #execute(path) {
        this.status = 1; // unless it comes to an end, and to a good one
        const { onReset } = this.pico;
        this.pico.onReset = (reset) => {
            onReset(reset);
            this.pace.stop();
        };
        const end = (traceback) => {
            writeSync(2, traceback);
            this.status = traceback ? 1 : 0;
            this.pace.stop();
        };
        new RawRepl(this.pico, readFileSync(path), { onOutput: (bytes) => writeSync(1, bytes), onEnd: end });
    }

    #listen(heard) {
        const { onReceive } = this.pico.serial;
        this.pico.serial.onReceive = (bytes) => {
            heard(bytes);
            onReceive(bytes);
        };
    }

    #obey() {
        const commands = createInterface({ input: process.stdin });
        commands.on("line", (line) => this.pace.input(() => this.#command(...line.split(" "))));
        commands.on("close", () => this.pace.stop());
        this.closers.push(() => process.stdin.destroy());
    }

    #command(name, ...words) {
        if (name === "stop") this.pace.stop();
        else if (name === "reset") this.pico.reset();
        else if (name === "counters") this.report("counters", this.#counters());
        else if (name === "cut") this.flash.cutAt(Number(words[0]), words[1]);
        else this.report("error", { why: `no such command: ${name}` });
    }
}

try {
    const options = readArguments();
    if (options) process.exitCode = await new Session(options).run();
    else process.stdout.write(HELP);
} catch (error) {
    if (error.code !== "EPIPE") process.stderr.write(error instanceof UsageError ? `${error.message}\n\n${HELP}` : `${error.stack}\n`);
    process.exit(error instanceof UsageError ? 2 : 1); // whatever is still open: nobody listens any more
}
