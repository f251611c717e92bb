"""Many simulated devices on one event loop, each with its own connection to the broker."""

import asyncio
import contextlib
import hashlib
import ssl
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Self

import aiomqtt
import httpx2

from srup import status
from srup_host import bundle, net
from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.simulate.cards import Card
from srup_host.simulate.device import SimulatedDevice
from srup_host.simulate.ways import Luck, Ways
from srup_host.tasks import end

AT_ONCE = 20  # connections being made, downloads under way
_RETRY_S = 2.0


class Downloads:
    """Bundles over HTTPS: the file is fetched anew for each device, and taken apart once."""

    def __init__(self, fleet: Fleet):
        self._release_key = fleet.public_key("release")
        self._manifests: dict[bytes, dict[str, Any]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._client = httpx2.AsyncClient(verify=net.client_context(fleet), timeout=30)

    async def fetch(self, url: str, digest: bytes) -> dict[str, Any] | int:
        """The manifest; or the status of what went wrong."""
        try:
            async with self._turn:
                answer = await self._client.get(url)
        except httpx2.HTTPError:
            return status.UPDATE_FAIL_SERVER
        if answer.status_code != 200:
            return status.UPDATE_FAIL_FILE if answer.status_code in (404, 410) else status.UPDATE_FAIL_HTTP
        if hashlib.sha256(answer.content).digest() != digest:
            return status.UPDATE_FAIL_DIGEST
        if digest not in self._manifests:
            self._manifests[digest] = await asyncio.to_thread(self._checked, answer.content)
        return self._manifests[digest] or status.UPDATE_FAIL_BUNDLE

    def _checked(self, packed: bytes) -> dict[str, Any]:
        """The manifest; {} where the bundle is not good."""
        with tempfile.NamedTemporaryFile(suffix=".srup") as file, contextlib.suppress(Failure, ValueError):
            file.write(packed)
            file.flush()
            opened = bundle.read(Path(file.name))
            opened.verify(self._release_key)
            return opened.manifest
        return {}

    async def close(self) -> None:
        await self._client.aclose()


class Crowd:
    """`async with Crowd(...)`: they live for as long as the context lasts. connected: how many are, now."""

    def __init__(self, fleet: Fleet, cards: list[Card], how: Ways):
        self._fleet = fleet
        self._luck = Luck(how)
        self._ways = how.share_out([card.uuid for card in cards])
        self._cards = cards
        self._context = net.client_context(fleet) if fleet.broker.tls else None
        self.connected = 0

    async def __aenter__(self) -> Self:
        self._downloads = Downloads(self._fleet)
        self._dialling = asyncio.Semaphore(AT_ONCE)
        fetch = self._downloads.fetch
        self.devices = [SimulatedDevice(card, self._fleet, self._ways[card.uuid], fetch) for card in self._cards]
        self._tasks = [asyncio.create_task(self._live(device)) for device in self.devices]
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(*self._tasks)
        await self._downloads.close()

    def versions(self) -> Counter[str]:
        return Counter(device.card.runs["version"] for device in self.devices)

    async def _live(self, device: SimulatedDevice) -> None:
        while True:
            try:
                await self._connection(device)
                if not device.restarting:
                    await asyncio.sleep(self._luck.spell())
            except (aiomqtt.MqttError, ssl.SSLError, OSError):
                await asyncio.sleep(_RETRY_S * (0.5 + self._luck.draw.random()))

    async def _connection(self, device: SimulatedDevice) -> None:
        """Until it restarts, or goes away for a while."""
        async with contextlib.AsyncExitStack() as ends:
            async with self._dialling:
                client = await ends.enter_async_context(self._client(device.card))
                client._client.manual_ack_set(True)  # aiomqtt has no way of its own
                heard = device.topics()
                await client.subscribe([(topic, 1) for topic in sorted(heard)])
            self.connected += 1
            ends.callback(self._gone)
            await client.publish(f"srup/{device.card.uuid}/state", b"online", 1, True)
            await device.start()
            await self._send(device, client)
            await self._converse(device, client, heard)

    def _gone(self) -> None:
        self.connected -= 1

    def _client(self, card: Card) -> aiomqtt.Client:
        return aiomqtt.Client(
            self._fleet.broker.host,
            self._fleet.broker.port,
            username=card.uuid,
            password=card.password,
            identifier=card.uuid,
            clean_session=False,
            keepalive=60,
            will=aiomqtt.Will(f"srup/{card.uuid}/state", b"offline", 1, True),
            tls_context=self._context,
            timeout=30,
        )

    async def _converse(self, device: SimulatedDevice, client: aiomqtt.Client, heard: set[str]) -> None:
        """It goes away only between two frames: what a real board has begun it goes on with after a restart."""
        loop, spell = asyncio.get_running_loop(), self._luck.online()
        leaves = None if spell is None else loop.time() + spell
        while not device.restarting:
            gives_up = loop.time() + self._fleet.trial_s if device.on_trial else None
            message = await self._next(client, min(filter(None, (leaves, gives_up)), default=None))
            if message is None:
                if device.on_trial and (leaves is None or loop.time() < leaves):
                    device.give_up()
                return
            await asyncio.sleep(self._luck.latency())
            await device.take(message.payload if isinstance(message.payload, bytes) else b"")
            client._client.ack(message.mid, message.qos)  # once it is on record, as the agent does
            await self._send(device, client)
            heard = await self._listen(device, client, heard)

    async def _listen(self, device: SimulatedDevice, client: aiomqtt.Client, heard: set[str]) -> set[str]:
        """Its groups may have changed."""
        wanted = device.topics()
        for topic in wanted - heard:
            await client.subscribe(topic, qos=1)
        for topic in heard - wanted:
            await client.unsubscribe(topic)
        return wanted

    async def _next(self, client: aiomqtt.Client, until: float | None) -> aiomqtt.Message | None:
        try:
            async with asyncio.timeout_at(until):
                return await anext(aiter(client.messages))
        except TimeoutError:
            return None

    async def _send(self, device: SimulatedDevice, client: aiomqtt.Client) -> None:
        while device.outbox:
            await client.publish(f"srup/{device.card.uuid}/up", device.outbox[0], qos=1)
            device.outbox.pop(0)
