"""Ending tasks for certain."""

import asyncio
from typing import Any

_AGAIN_S = 1


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel them until they have ended. Raises what one of them has failed with.

    Once is not enough: before Python 3.12 `asyncio.wait_for`, and with it each wait of aiomqtt's, forgets that it was
    cancelled when that happens in the moment in which what it waits for comes.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.result()
