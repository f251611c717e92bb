# A Raspberry Pi Pico with its network over a UART. What differs from MicroPython's own board for it is in mpconfigboard.h.
set(PICO_BOARD "pico")
set(PICO_PLATFORM "rp2040")

set(MICROPY_PY_LWIP ON)

if(NOT MICROPY_FROZEN_MANIFEST)
    set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
endif()
