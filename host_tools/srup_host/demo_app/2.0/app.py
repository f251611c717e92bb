"""A thermometer, version 2.0: in tenths of a kelvin, tests itself before it asks to stay, and stops tidily."""

import asyncio

VERSION = "2.0"


def read():
    return 2946


def setup(agent):
    agent.on_self_test(lambda: 2000 < read() < 4000)
    agent.on_stop(lambda: print("thermometer: sensor off"))


async def main(agent):
    while True:
        if agent.connected:
            agent.publish("temperature", str(read()))
        await asyncio.sleep(1)
