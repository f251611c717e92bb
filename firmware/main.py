"""Wiring only: the agent, and beside it the application of the slot that boot.py chose.

An application is a module `app` with any of

    def setup(agent)         called once: register hooks, subscribe
    async def main(agent)    runs beside the agent under asyncio
    def run(agent)           or a loop of its own, which calls agent.poll() in every round
"""

import gc
import os
import sys
import time

from srup_boot import hw, start

PAUSE_S = 60  # before recovery tries again
ENOENT = 2

# Collect before memory is full: what lasts stays together, and TLS finds its 17 KB in one piece.
gc.threshold(gc.mem_free() >> 4)


def program(agent):
    """What is to run, a function of the agent: the application's own loop, its tasks beside the agent's, or the agent alone."""
    from srup import late

    late.let_go_of_boot()
    if recovery or agent.safe:  # or SET_MODE safe
        return alone
    import app  # pyright: ignore[reportMissingImports] - of the slot

    if hasattr(app, "setup"):
        app.setup(agent)
    if hasattr(app, "run"):
        return app.run
    return beside if hasattr(app, "main") else alone


def beside(agent):
    import asyncio

    import app  # pyright: ignore[reportMissingImports] - of the slot

    async def both():
        await asyncio.gather(agent.run(), app.main(agent))

    asyncio.run(both())


def alone(agent):
    import asyncio

    asyncio.new_event_loop()  # without what a crash has left in the one before
    asyncio.run(agent.run())


def made(choice):
    """The agent, of the slot if that has one. One that can't even be made ends this start: the boot part counts it.

    In recovery there is nothing else to start, and nobody may come by for years: a radio or a flash that fails now may work in a
    minute. But who has a board in his hands that was never provisioned is to see what is wrong."""
    goes_on = not recovery or provisioned()
    try:
        if recovery and goes_on and not choice.trial:
            hw.watch()  # of a trial, and of a slot, the boot part has seen to it
        from srup.agent import Agent
        from srup.transport import Transport

        agent = Agent(choice, Transport)
        agent.start()
        return agent
    except Exception as error:  # whatever a broken agent may raise
        if not goes_on:
            raise
        sys.print_exception(error)
        if recovery:
            time.sleep(PAUSE_S)
        hw.reset()


def provisioned():
    try:
        os.stat("/srup-data/config.json")
        return True
    except OSError as error:
        return error.args[0] != ENOENT  # a flash that fails to say so may have it


recovery = start.chosen.slot == start.NONE
try:
    agent = made(start.chosen)
    del start  # and boot.py's
    try:
        program(agent)(agent)
        alone(agent)
    except Exception as error:  # noqa: BLE001 - whatever an application may raise
        agent.crashed(error)
        alone(agent)  # on the network, until it starts again
except KeyboardInterrupt:  # somebody is at the prompt, and is not to be reset there
    hw.arm(0)
    raise
