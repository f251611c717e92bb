// A pseudo-terminal in front of the board's USB serial port: what mpremote connects to. It stays when the board resets.
//
// Node has no PTY, so pty_bridge.py opens it and relays.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const BRIDGE = fileURLToPath(new URL("pty_bridge.py", import.meta.url));

// Resolves to { path, send(bytes), close() }; onReceive(bytes) gets what a program writes to the terminal.
export function openPty(onReceive) {
    const bridge = spawn(process.env.PYTHON ?? "python3", [BRIDGE], { stdio: ["pipe", "pipe", "inherit"] });
    bridge.stdin.on("error", () => {}); // it has gone: the exit below says so
    return new Promise((resolve, reject) => {
        bridge.once("error", reject);
        bridge.once("exit", (code) => reject(new Error(`pty_bridge.py ended with ${code}`)));
        bridge.stdout.once("data", (line) => {
            const path = line.toString().trimEnd();
            bridge.stdout.on("data", onReceive);
            resolve({ path, send: (bytes) => bridge.stdin.write(bytes), close: () => bridge.stdin.end() });
        });
    });
}
