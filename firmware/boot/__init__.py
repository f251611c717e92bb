"""What runs before any slot does: choose the slot, count its trial, and know how to reset. Ten minutes to read.

    hw      reset, and a reset that Python can't escape
    record  the boot record: two copies in flash, one save one step
    slot    where the slots are, and whether one is whole: folders, on stock firmware
    region  the same in raw flash; imported where slots.json says so
    firmware    the same for an ESP32's two firmwares
    start   which slot runs: the table at its top is the theory
    boot    /boot.py

It lives in /lib beside the base agent, is never updated over the air, and imports nothing from a slot and nothing from srup.
"""
