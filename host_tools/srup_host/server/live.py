"""Server-sent events: that something has changed, to whoever has a page open. What it is, the page asks for itself."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import Response
from fastapi.responses import StreamingResponse

from srup_host.server.asking import Here
from srup_host.server.c2 import C2

_QUIET_S = 20  # then a comment, so that nothing between us takes the connection for dead


async def live(c2: Here) -> Response:
    """A stream of subjects."""
    return StreamingResponse(_stream(c2), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(c2: C2) -> AsyncIterator[str]:
    with c2.news.listening() as queue:
        yield ": here\n\n"
        while True:
            try:
                subject = await asyncio.wait_for(queue.get(), _QUIET_S)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if subject is None:
                return
            yield f"data: {subject}\n\n"
