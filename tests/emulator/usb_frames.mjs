// Start-of-frame interrupts: the millisecond beat of the bus, which the package does not give to a device.
//
// MicroPython's USB stack waits for a few of them after a terminal has opened the port, and then sends what it had
// printed before. They come only while the firmware has asked for them, so an idle processor can sleep.

const SOF_READ = 0x48, INTERRUPT_ENABLE = 0x90;
const START_OF_FRAME = 1 << 17;
const FRAME_NANOS = 1_000_000;

export function connectFrames(controller, clock) {
    const alarm = clock.createAlarm(() => {
        controller.sofFrameNumber = (controller.sofFrameNumber + 1) & 0x7ff;
        signal(controller.intRaw | START_OF_FRAME);
        next();
    });
    const next = () => controller.intEnable & START_OF_FRAME && alarm.schedule(FRAME_NANOS);
    const signal = (interrupts) => {
        controller.intRaw = interrupts;
        controller.checkInterrupts();
    };

    const { readUint32, writeUint32 } = controller;
    controller.readUint32 = (offset) => {
        if (offset === SOF_READ) signal(controller.intRaw & ~START_OF_FRAME);
        return readUint32.call(controller, offset);
    };
    controller.writeUint32 = (offset, value) => {
        writeUint32.call(controller, offset, value);
        if (offset === INTERRUPT_ENABLE) next();
    };
}
