// The host's end of the board's USB serial port (CDC), with a queue that neither drops nor floods.
//
// The package's USBCDC enumerates the device. Its data path has a queue of 512 bytes that drops what does not fit, and
// answers every poll of the device with a packet, empty if need be, so that the processor never sleeps. Here bytes wait
// without limit, and the device hears from the host only when there is something to say.

import { USBCDC } from "rp2040js";

const PACKET = 64;

export class UsbSerial {
    constructor() {
        this.onReceive = () => {}; // bytes the device sent
        this.onConnect = () => {}; // the device is enumerated and its port is open
        this.#unplug();
    }

    // A new chip, after power-on or a reset: what was under way to the old one is lost, as with a pulled plug.
    attach(controller) {
        this.#unplug();
        this.controller = controller;
        this.cdc = new USBCDC(controller);
        this.cdc.onSerialData = (bytes) => bytes.length && this.onReceive(Buffer.from(bytes));
        this.cdc.onDeviceConnected = () => {
            this.isConnected = true;
            this.#pump();
            this.onConnect();
        };
        controller.onEndpointRead = (endpoint, size) => {
            if (endpoint !== this.cdc.outEndpoint) return;
            this.room = size;
            this.#pump();
        };
    }

    send(bytes) {
        this.queue = Buffer.concat([this.queue, bytes]);
        this.#pump();
    }

    #unplug() {
        this.queue = Buffer.alloc(0);
        this.room = 0; // what the device's endpoint can take now
        this.isConnected = false;
    }

    #pump() {
        if (!this.isConnected || !this.room || !this.queue.length) return;
        const size = Math.min(this.room, PACKET);
        const packet = new Uint8Array(this.queue.subarray(0, size));
        this.queue = this.queue.subarray(packet.length);
        this.room = 0;
        this.controller.endpointReadDone(this.cdc.outEndpoint, packet);
    }
}
