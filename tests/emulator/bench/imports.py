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


forget()
import modules

gc.collect()
print("total_heap", gc.mem_alloc() + gc.mem_free())
print("empty_heap", gc.mem_free())
for module in modules.RESIDENT + modules.ROAD + modules.UPDATE:
    try:
        print(f"import_{module}_heap", measure(module))
    except ImportError:
        pass  # one that needs what this board does not have: p256_comb its native code
late = set(modules.ROAD + modules.UPDATE)
gc.collect()
before = gc.mem_alloc()
for name in list(sys.modules):
    if name in late:
        package, _, module = name.rpartition(".")
        delattr(sys.modules[package], module)
        del sys.modules[name]
gc.collect()
print("let_go_heap", before - gc.mem_alloc())
