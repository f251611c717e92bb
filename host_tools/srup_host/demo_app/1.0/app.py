"""A thermometer, version 1.0: says once a second how warm it is."""

import asyncio

VERSION = "1.0"


def read():
    return 21.5


async def main(agent):
    while True:
        if agent.connected:
            agent.publish("temperature", str(read()))
        await asyncio.sleep(1)
