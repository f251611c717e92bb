"""A thermometer, version 3.0: somebody mistook the sensor, and its self-test finds out."""

import asyncio

VERSION = "3.0"


def read():
    return 0


def setup(agent):
    agent.on_self_test(self_test)


def self_test():
    if read():
        return True
    print("thermometer: the sensor does not answer")
    return False


async def main(agent):
    while True:
        if agent.connected:
            agent.publish("temperature", str(read()))
        await asyncio.sleep(1)
