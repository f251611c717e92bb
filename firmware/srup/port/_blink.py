"""A light that says "here I am", by a timer: also while nobody calls the agent."""

_PERIOD = 250  # milliseconds on, and off

_timer = None


def blink(machine, on, pin, timer):
    """machine: the module · pin: what machine.Pin takes, None for the board's "LED" · timer: number of the machine.Timer. None where there is no such
    pin."""
    global _timer
    try:
        led = machine.Pin("LED" if pin is None else pin, machine.Pin.OUT)
    except (ValueError, TypeError):
        return None
    if _timer:
        _timer.deinit()
        _timer = None
    if on:
        _timer = machine.Timer(timer)
        _timer.init(mode=machine.Timer.PERIODIC, period=_PERIOD, callback=lambda _: led.value(not led.value()))
    else:
        led.value(0)
    return True
