"""Power on: `run.py DIR [OPERATION [torn]]`. What a board's firmware does from here on; OPERATION: see nor.Nor's `cut`.

Ends with exit code 64 for a reset, 65 for the power cut asked for, 0 or 1 where a board would wait at its prompt (1 after an
exception). A watchdog that is armed by then goes off: SIGALRM.
"""
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false

import os
import sys
import time

import ffi
import nor

RESET = 64


def run(name, names):
    """True unless an exception came out, which is printed as at the prompt. SystemExit is a soft reset, as on a board."""
    if name not in os.listdir("/"):
        return True
    try:
        with open(name) as file:
            exec(compile(file.read(), name, "exec"), names)  # noqa: S102, what a firmware does
        return True
    except SystemExit:
        nor.exit_now(RESET)
    except BaseException as error:  # noqa: BLE001, the prompt comes after any
        sys.print_exception(error)
    return False


def wait_for_watchdog():
    """Back at the prompt, an armed deadline still counts down."""
    alarm = ffi.open(None).func("I", "alarm", "I")
    left = alarm(0)
    if left:
        alarm(left)
        while True:
            time.sleep(60)


directory, *power = sys.argv[1:]
nor.mount(directory, int(power[0]) if power else 0, "torn" in power)
sys.argv.clear()
names = {"__name__": "__main__"}
run("boot.py", names)
finished = run("main.py", names)
wait_for_watchdog()
sys.exit(0 if finished else 1)
