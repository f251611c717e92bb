"""`raw_repl.py DIR hard|soft CUT [torn]`: a board's prompt, on the unix port, which before MicroPython 1.27 has no raw one of its own.

As docs.micropython.org describes it (reference/repl.html, Raw mode and Raw-paste mode), on standard input and output. What a
firmware does before: boot.py, then main.py, unless it is a soft reset out of raw mode.

Exit codes: 64 hard reset, 65 the power cut asked for (see nor.Nor), 66 soft reset.
"""
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false

import io
import os
import select
import struct
import sys
import time

import nor

HARD, SOFT = 64, 66
WINDOW = 4096
BANNER = b"\r\nMicroPython at a pseudo-terminal\r\n>>> "
RAW = b"raw REPL; CTRL-B to exit\r\n>"
NAMES = {"__name__": "__main__"}
CTRL_C = b"\x03"


class Machine:
    """In place of the module machine."""

    @staticmethod
    def reset():
        nor.exit_now(HARD)

    @staticmethod
    def unique_id():
        return os.getenv("SRUP_UNIQUE_ID", "unix").encode()


class Time:
    """In place of the module time. Ctrl-C is heard where something looks at the clock, as everything that waits does.

    As SIGINT it would come anywhere, in the midst of a garbage collection too, and what that had locked would stay locked: the
    unix port is built with MICROPY_ASYNC_KBD_INTR. A firmware raises KeyboardInterrupt between two byte codes.
    """

    def __getattr__(self, name):
        return getattr(time, name)

    @staticmethod
    def ticks_ms():
        while keyboard.poll(0):
            typed.append(key())
        return time.ticks_ms()


keyboard = select.poll()
keyboard.register(sys.stdin, select.POLLIN)
typed = []  # while something ran


def key():
    byte = sys.stdin.buffer.read(1)
    if not byte:
        nor.exit_now(0)
    if byte == CTRL_C:
        typed.clear()  # as shared/tinyusb does
        raise KeyboardInterrupt
    return byte


def read():
    return typed.pop(0) if typed else key()


def say(data):
    sys.stdout.buffer.write(data)


def execute(text):
    """Its output, and after that its traceback."""
    trace = io.StringIO()
    try:
        exec(compile(text, "<stdin>", "exec"), NAMES)
    except BaseException as error:  # noqa: BLE001, a prompt shows any
        sys.print_exception(error, trace)
    say(b"\x04" + trace.getvalue().encode() + b"\x04>")


def pasted():
    """Raw paste: the script, with flow control by windows."""
    say(b"R\x01" + struct.pack("<H", WINDOW))
    text, since = bytearray(), 0
    while True:
        byte = read()
        if byte == b"\x04":
            say(b"\x04")
            return bytes(text)
        text += byte
        since += 1
        if since == WINDOW:
            say(b"\x01")
            since = 0


def raw():
    """Until Ctrl-B."""
    text = bytearray()
    while True:
        byte = read()
        if byte == b"\x01":
            text = bytearray()
            say(RAW)
        elif byte == b"\x02":
            return
        elif byte == b"\x05":
            read(), read()
            execute(pasted())
        elif byte != b"\x04":
            text += byte
        elif not text.strip(b"\r"):
            say(b"OK\r\nMPY: soft reboot\r\n")
            nor.exit_now(SOFT)
        else:
            say(b"OK")
            execute(bytes(text))
            text = bytearray()


def run(name):
    """True if nothing came out of it."""
    if name in os.listdir("/"):
        try:
            with open(name) as file:
                exec(compile(file.read(), name, "exec"), NAMES)
        except BaseException as error:  # noqa: BLE001, the prompt comes after any
            sys.print_exception(error)


directory, how, *power = sys.argv[1:]
nor.mount(directory, int(power[0]) if power else 0, "torn" in power)
sys.modules["machine"], sys.modules["time"] = Machine, Time()
sys.argv.clear()
say(b"\r\n")


def prompt(is_raw):
    """For ever. Ctrl-C empties the line, whatever it is doing."""
    greeting = RAW if is_raw else BANNER
    while True:
        try:
            say(greeting)
            greeting = b""
            while True:
                if is_raw:
                    raw()
                    is_raw = False
                    say(BANNER)
                while read() != b"\x01":
                    pass
                is_raw = True
                say(RAW)
        except KeyboardInterrupt:
            pass


try:
    run("boot.py")
    if how != "soft":
        run("main.py")
except KeyboardInterrupt:
    pass
prompt(how == "soft")
