"""`board_port.py PORT EPOCH`: srup.port.rp2 or .esp32 on MicroPython, with what only a chip has put in its place.

Prints, line by line, what test_port_boards.py looks at.
"""

import sys
import time as real_time

from srup_boot import hw

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

    def sleep_ms(self, ms):
        self.ticks += ms

    def time_ns(self):
        return real_time.time_ns() - self.offset * 1_000_000_000

    def gmtime(self, seconds):
        if seconds >= 1 << 31:
            raise OverflowError("overflow converting long int to machine word")
        return real_time.gmtime(seconds + self.offset)


class Rtc:
    def datetime(self, fields):
        print("rtc", fields)


class Uart:
    def __init__(self, *arguments, **settings):
        print("uart", arguments, sorted(settings.items()))


class Machine:
    RTC = Rtc
    UART = Uart

    @staticmethod
    def Pin(number):
        return f"GP{number}"

    @staticmethod
    def reset():
        print("reset")

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


class Ppp:
    """As extmod/network_ppp_lwip.c of MicroPython 1.25 has it; what lwIP does meanwhile, the test says."""

    INACTIVE, ACTIVE, ERROR, CONNECTING, CONNECTED = range(5)
    EALREADY = 114

    def __init__(self, stream):
        self.state = self.INACTIVE
        self.address = "0.0.0.0"
        Network.ppp = self

    def connect(self):
        if self.state >= self.CONNECTING:
            raise OSError(self.EALREADY)
        print("call")
        self.state = self.CONNECTING

    def isconnected(self):
        return self.state == self.CONNECTED

    def ifconfig(self):
        return self.address, "255.255.255.255", "10.64.0.1", "10.64.0.1"

    def disconnect(self):
        print("hang up")
        if self.answers:
            self.state = self.INACTIVE


class Network:
    STA_IF = 0
    PPP = Ppp
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
port.set_clock(4_000_000_000_000)
print("latest", port.LATEST)
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

hw.reset = Machine.reset  # in a process it would be the process's own end
if PORT == "rp2":
    start = time.ticks
    port._network = None  # another board, which has no Wi-Fi
    port.network_start([], {"uart": 1, "tx": 4, "rx": 5, "baudrate": 115200, "rxbuf": 4096})
    ppp = Network.ppp

    def look(what, seconds, **state):
        for name, value in state.items():
            setattr(ppp, name, value)
        time.ticks = start + seconds * 1000
        print(what, port.network_up())

    look("calling", 6)
    look("no address yet", 7, state=Ppp.CONNECTED)
    look("up", 8, address="10.64.0.2")
    look("the peer begins anew", 20, address="0.0.0.0")
    look("up", 21, address="10.64.0.2")
    look("gone", 100, state=Ppp.ERROR, address="0.0.0.0")
    look("gone still", 103, state=Ppp.ERROR)
    look("and still", 106)
    look("up", 107, state=Ppp.CONNECTED, address="10.64.0.2")
    for ppp.answers in (False, True):
        time.ticks = 0
        port.reset()
        print("after", time.ticks)
