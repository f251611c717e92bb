// Runs a script on the board through its raw REPL, wholly in emulated time, so that the run can be repeated to the cycle.
//
// mpremote is for everything else: it lives in the host's time, and no two of its sessions take the same cycles.
// Protocol: MicroPython documentation, "The MicroPython interactive interpreter mode", raw mode.

const PATIENCE_NANOS = 2e9; // for the prompt; then main.py is taken to be running, and is interrupted
const INTERRUPT = "\r\x03\x03", RAW_MODE = "\x01", END = "\x04";

export class RawRepl {
    // onOutput(bytes): what the script prints. onEnd(traceback): it has ended; "" if without an exception.
    constructor(pico, script, { onOutput, onEnd }) {
        this.serial = pico.serial;
        this.received = Buffer.alloc(0);
        this.step = this.#steps(pico, Buffer.from(script), onOutput, onEnd);
        this.expected = this.step.next().value;
        this.serial.onReceive = (bytes) => this.#receive(bytes);
    }

    // Yields what has to be seen before it goes on; what came before that is the yield's value.
    *#steps(pico, script, onOutput, onEnd) {
        const patience = pico.chip.clock.createAlarm(() => this.serial.send(Buffer.from(INTERRUPT)));
        patience.schedule(PATIENCE_NANOS);
        yield ">>> ";
        patience.cancel();
        this.serial.send(Buffer.from(RAW_MODE));
        yield "raw REPL; CTRL-B to exit\r\n>";
        this.serial.send(Buffer.concat([script, Buffer.from(END)]));
        yield "OK";
        this.onOutput = onOutput;
        yield END;
        this.onOutput = null;
        const traceback = yield END;
        onEnd(traceback.toString());
    }

    #receive(bytes) {
        this.received = Buffer.concat([this.received, bytes]);
        while (this.expected !== undefined) {
            const at = this.received.indexOf(this.expected);
            if (this.onOutput) this.onOutput(this.received.subarray(0, at < 0 ? undefined : at));
            if (at < 0) {
                if (this.onOutput) this.received = Buffer.alloc(0);
                return;
            }
            const before = this.received.subarray(0, at);
            this.received = this.received.subarray(at + this.expected.length);
            this.expected = this.step.next(before).value;
        }
    }
}
