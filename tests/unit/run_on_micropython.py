"""Run by MicroPython: `run_on_micropython.py MODULE [TEST ...]`. A line for each test; exit code 1 unless all pass."""

import sys


def run(test, name):
    try:
        test()
    except Exception as error:  # noqa: BLE001 a failing test can raise any
        print("FAIL", name)
        sys.print_exception(error)
        return False
    print("ok", name)
    return True


module_name, names = sys.argv[1], sys.argv[2:]
__import__(module_name)
module = sys.modules[module_name]
names = names or [name for name in dir(module) if name.startswith("test_")]
results = [run(getattr(module, name), name) for name in names]
sys.exit(0 if results and all(results) else 1)
