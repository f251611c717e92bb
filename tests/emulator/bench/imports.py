"""Heap that stays after the import of each module, in the order in which they import each other. MicroPython keeps names in
pools that grow in steps, and never shrink: a step is charged to the module that takes it."""

import gc
import sys

for name in [name for name in globals() if name[0] != "_" and name not in ("gc", "sys")]:
    del globals()[name]  # what a frozen main.py has left


def forget():
    for name in list(sys.modules):
        package, _, module = name.rpartition(".")
        if name.partition(".")[0] in ("srup", "srup_boot", "umqtt"):
            if package in sys.modules and hasattr(sys.modules[package], module):
                delattr(sys.modules[package], module)
            del sys.modules[name]


def measure(name):
    gc.collect()
    before = gc.mem_alloc()
    __import__(name)
    gc.collect()
    return gc.mem_alloc() - before


def measure_all(names):
    for module in names:
        try:
            print(f"import_{module}_heap", measure(module))
        except ImportError:
            pass  # one that needs what this board does not have: p256_comb its native code


def let_go(names):
    for name in list(sys.modules):
        if name in names:
            package, _, module = name.rpartition(".")
            if package:
                delattr(sys.modules[package], module)
            del sys.modules[name]
    gc.collect()


def of_p256(name):
    return name.startswith("srup.p256") or name == "srup.sealed"  # which takes it along


forget()
import modules

gc.collect()
print("total_heap", gc.mem_alloc() + gc.mem_free())
print("empty_heap", gc.mem_free())
ours = tuple(name for name in modules.UPDATE if of_p256(name))
others = tuple(name for name in modules.UPDATE if not of_p256(name))
measure_all(modules.RESIDENT + modules.ROAD + modules.P256 + ours)
let_go([name for name in sys.modules if of_p256(name) or name.startswith("p256_")])  # no board has room for all at once
measure_all(modules.HANDS + others)
gc.collect()
before = gc.mem_alloc()
let_go(modules.ROAD + modules.HANDS + modules.UPDATE)
print("let_go_heap", before - gc.mem_alloc())
