"""Wiring only: the agent, and beside it the application of the slot that boot.py chose.

An application is a module `app` with any of

    def setup(agent)         called once: register hooks, subscribe
    async def main(agent)    runs beside the agent under asyncio
    def run(agent)           or a loop of its own, which calls agent.poll() in every round
"""

from srup.agent import Agent
from srup.transport import Transport
from srup_boot import start


def work(agent):
    if start.chosen.slot == start.NONE:  # recovery: the agent alone
        return alone(agent)
    import app  # pyright: ignore[reportMissingImports] - of the slot

    if hasattr(app, "setup"):
        app.setup(agent)
    if hasattr(app, "run"):
        app.run(agent)
    elif hasattr(app, "main"):
        beside(agent, app)
    alone(agent)


def beside(agent, app):
    import asyncio

    async def both():
        await asyncio.gather(agent.run(), app.main(agent))

    asyncio.run(both())


def alone(agent):
    import asyncio

    asyncio.new_event_loop()  # without what a crash has left in the one before
    asyncio.run(agent.run())


agent = Agent(start.chosen, Transport)
try:
    agent.start()
    work(agent)
except Exception as error:  # noqa: BLE001 - whatever an application may raise
    agent.crashed(error)
    alone(agent)  # on the network, until it starts again
