// The second core, which is not emulated: it answers the one thing that a single-core firmware asks of it.
//
// MicroPython resets it at every soft reset and waits for the 0 that its boot ROM then puts into the mailbox. A firmware
// that starts it (_thread.start_new_thread) would wait for ever, so that is reported through `onStart`.

const PSM = 0x40010;
const FORCE_OFF = 0x04;
const CORE_1 = 1 << 16;
const MAILBOX_STATUS = 0x50, MAILBOX_WRITE = 0x54, MAILBOX_READ = 0x58;
const VALID = 1, READY = 2;

export function connectSecondCore(rp2040, onStart) {
    const mailbox = [];
    const { sio } = rp2040;
    const power = rp2040.peripherals[PSM];

    const { readUint32, writeUint32 } = sio;
    sio.readUint32 = (offset) => {
        if (offset === MAILBOX_STATUS) return (mailbox.length ? VALID : 0) | READY;
        if (offset === MAILBOX_READ) return mailbox.shift() ?? 0;
        return readUint32.call(sio, offset);
    };
    sio.writeUint32 = (offset, value) => {
        if (offset === MAILBOX_WRITE) onStart();
        else if (offset !== MAILBOX_STATUS) writeUint32.call(sio, offset, value);
    };

    const writePower = power.writeUint32;
    power.writeUint32 = (offset, value) => {
        if (offset === FORCE_OFF && power.frceOff & CORE_1 && !(value & CORE_1)) mailbox.push(0);
        writePower.call(power, offset, value);
    };
}
