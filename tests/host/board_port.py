"""`board_port.py PORT EPOCH`: srup.port.rp2 or .esp32 on MicroPython, with what only a chip has put in its place.

Prints, line by line, what test_port_boards.py looks at.
"""

import sys
import time as real_time

PORT, EPOCH = sys.argv[1], int(sys.argv[2])
SECONDS_TO_2000 = 946_684_800


class Time:
    """time as that chip has it, and a stopwatch that the test turns."""

    ticks = 0
    ticks_add = real_time.ticks_add
    offset = SECONDS_TO_2000 if EPOCH == 2000 else 0

    def ticks_diff(self, later, earlier):
        return (later - earlier + (1 << 29)) % (1 << 30) - (1 << 29)  # as with words of 4 bytes

    def ticks_ms(self):
        return self.ticks

    def time_ns(self):
        return real_time.time_ns() - self.offset * 1_000_000_000

    def gmtime(self, seconds):
        return real_time.gmtime(seconds + self.offset)


class Rtc:
    def datetime(self, fields):
        print("rtc", fields)


class Machine:
    RTC = Rtc

    @staticmethod
    def unique_id():
        return b"\x01\x02"


class Station:
    connected = False

    def active(self, flag):
        print("active", flag)

    def isconnected(self):
        return self.connected

    def connect(self, ssid, password):
        print("connect", ssid, password)
        if ssid == "broken":
            raise OSError("Wifi Internal Error")

    def disconnect(self):
        pass


class Network:
    STA_IF = 0
    station = Station()

    @classmethod
    def WLAN(cls, interface):
        return cls.station


time, station = Time(), Network.station
sys.modules["time"], sys.modules["machine"], sys.modules["network"] = time, Machine, Network
name = "srup.port." + PORT
__import__(name)
port = sys.modules[name]

print("board", port.BOARD == sys.implementation._build, port.unique_id())
print("clock", abs(port.now_ms() - real_time.time_ns() // 1_000_000) < 60_000, port.clock_is_set())
port.set_clock(1_700_000_000_000)
print("set", port.clock_is_set())
port.set_clock(1_700_000_000_000, True)
port.set_clock(1_700_000_000_000)
print("set", port.clock_is_set())
print("random", len(port.random(32)))

print("up", port.network_up())
port.network_start([{"ssid": "first", "password": "secret"}, {"ssid": "broken"}, {"ssid": "open"}])
for seconds in (0, 19, 21, 22, 42, 63, 84):
    time.ticks = seconds * 1000
    print(seconds, port.network_up())
station.connected = True
time.ticks = 1_000_000
print("up", port.network_up())
station.connected = False
for seconds in (1010, 1021):
    time.ticks = seconds * 1000
    print(seconds, port.network_up())
time.ticks += 7 * 86_400_000  # asked again after a week: ticks_diff is negative then
print("a week later", port.network_up())
