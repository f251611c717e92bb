"""Server-sent events: a page that is open hears at once that something has changed, and the server stops all the same."""

import asyncio

from srup import status
from srup_host.server import live
from srup_host.server.c2 import News
from srup_host.server.roles import Role
from tests.web.crowd import Crowd


def test_whoever_listens_hears_what_has_changed_and_the_end(site):
    async def story():
        stream = live._stream(site.c2)
        assert await anext(stream) == ": here\n\n"
        await asyncio.to_thread(site.c2.news.tell, "rollout 1")  # as the runner does, in a thread of its own
        assert await anext(stream) == "data: rollout 1\n\n"
        site.c2.news.end()
        assert [part async for part in stream] == []

    asyncio.run(story())


def test_who_is_too_slow_is_not_waited_for():
    async def story():
        news = News()
        with news.listening() as queue:
            for number in range(1000):
                news.tell(str(number))
            await asyncio.sleep(0)
            assert queue.qsize() == 100
            news.end()
            found = [queue.get_nowait() for _ in range(100)]
        assert found[0] == "1" and found[-1] is None
        news.tell("nobody listens any more")

    asyncio.run(story())


def test_an_answer_of_a_device_is_news(site):
    """Told by serve for each frame; here by the runner, for each step."""
    crowd, told = Crowd(site), []
    crowd.devices(good=1)
    site.c2.news.tell = told.append
    site.program(Role.OPERATOR).post("/api/v1/rollouts", json={"bundle": crowd.release()})
    crowd.play()
    assert told.count("rollout 1") >= 4
    assert next(iter(crowd.played.values())).latest.popitem()[1] == status.ACTIVATE_SUCCESS
