# Frozen into the firmware: what MicroPython's own boards freeze, as far as Debian's source has it.
freeze("$(PORT_DIR)/modules", "rp2.py")
freeze("$(BOARD_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
