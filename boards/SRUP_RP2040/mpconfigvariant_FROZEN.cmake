# With the agent, the boot part and umqtt.simple in the firmware, where they take no heap for their bytecode.
set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/frozen/manifest.py)
