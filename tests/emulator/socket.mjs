// A UART's other end as a Unix socket: whoever connects is the modem, the PPP peer or the logic analyser.
//
// One connection at a time; a new one takes the place of the old. Bytes that the board sends while nobody is connected
// are lost, as on a wire.

import { rmSync } from "node:fs";
import { createServer } from "node:net";

// Resolves to { path, send(bytes), close() } once listening; onReceive(bytes) gets what the other end sends.
export function listenForUart(path, onReceive) {
    let connection = null;
    const server = createServer((socket) => {
        connection?.destroy();
        connection = socket;
        socket.on("data", onReceive);
        socket.on("error", () => {}); // it closes, and that is all there is to it
        socket.on("close", () => {
            if (connection === socket) connection = null;
        });
    });
    rmSync(path, { force: true });
    const close = () => {
        server.close();
        connection?.destroy();
    };
    return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(path, () => resolve({ path, send: (bytes) => connection?.write(bytes), close }));
    });
}
