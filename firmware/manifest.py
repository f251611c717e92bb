# Freezes the base agent and the boot part into a firmware, where an update over the air never reaches them, and where they
# take no heap for their bytecode. Include it beside your port's own in the manifest of your board:
#
#     include("$(PORT_DIR)/boards/manifest.py")
#     include("…/firmware/manifest.py")
#
# umqtt=False: umqtt.simple comes from elsewhere than micropython-lib. kernel: native code for P-256, for the board's processor:
# "p256_thumb" (RP2040) or "p256_field p256_numbers" (others); native code that is frozen runs from flash.
# ruff: noqa: F821, the functions of a manifest are built in
# pyright: reportUndefinedVariable=false, reportAttributeAccessIssue=false
import os

options.defaults(umqtt=True, kernel="")
if options.umqtt:
    require("umqtt.simple")

for name in options.kernel.split():
    module(name + ".py", base_path="../native")
package("srup")
module("boot.py", base_path="boot")
module("main.py")

# A package is frozen under its folder's name, and boot/ is imported as srup_boot.
build = os.path.abspath("../build/freeze")
os.makedirs(build, exist_ok=True)
if not os.path.islink(build + "/srup_boot"):
    os.symlink(os.path.abspath("boot"), build + "/srup_boot")
package("srup_boot", base_path=build)
# The table of P-256's generator, if it was made: python -m srup_host.combs > build/freeze/p256_g.py
if os.path.isfile(build + "/p256_g.py"):
    module("p256_g.py", base_path=build)
