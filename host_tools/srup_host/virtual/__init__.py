"""A board without hardware: MicroPython's unix port, its flash in a file.

interpreter  finds MicroPython
making       a new board: flash image, device key, enrolment, settings, first application
running      VirtualBoard: power on, power cut, its console
command      `srup virtual`
board/       what MicroPython runs: the flash (nor), the firmware's start (run), copying files in (put)
"""
