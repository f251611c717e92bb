"""Does a boot in the campaign start clean? MicroPython runs this: `fresh.py RELEASES` prints what of the device's modules is
another thing after some boards' lives than before, a name in each line, and `end`."""

import sys

from tests.power_cut import machine
from tests.power_cut.cuts import Stories
from tests.power_cut.scenarios import SCENARIOS

_PLAIN = (int, str, bytes, float, tuple, list, dict, set, bytearray, type(None), bool)


def state():
    """{name: what it holds, as text} of all globals of the device's modules, their classes' attributes, and the attributes of
    objects among them."""
    found = {}
    for name, module in sys.modules.items():
        if name.split(".")[0] in ("srup", "srup_boot"):
            for key, value in module.__dict__.items():
                if isinstance(value, type(sys)):
                    continue
                found[name + "." + key] = repr(value)
                if not isinstance(value, _PLAIN) and hasattr(value, "__dict__"):
                    found[name + "." + key + ".*"] = repr(sorted(repr(item) for item in value.__dict__.items()))
    return found


def lives(scenarios):
    for name in scenarios:
        stories.checks(name).run(stories.image(name), stories.checks(name).server(), 0)


machine.install()
stories = Stories(sys.argv[1], "files")
lives(SCENARIOS)  # what is made once, and is the same ever after, is there now
before = state()
lives(("network-away", "sick", "commands"))
after = state()
for name in sorted(set(before) | set(after)):
    if before.get(name) != after.get(name):
        print("changed", name)
print("end", len(after))
