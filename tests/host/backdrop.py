"""`srup serve` in a thread, with fake devices on the broker: what a command under test finds running."""

import asyncio
import ssl
import threading

import aiomqtt

from srup import wire
from srup_host import init, net
from srup_host.ledger import Ledger
from srup_host.serve import listen, servers, working
from srup_host.server.c2 import C2
from srup_host.tasks import end


def create_fleet(folder, host="localhost", **settings):
    """A fleet on free ports of this host, and the sockets that hold them: (fleet, MQTT's, HTTPS's)."""
    address = "localhost" if host == "localhost" else ""
    mqtt, https = net.listen(address, 0), net.listen(address, 0)
    ports = {"broker_port": net.port_of(mqtt), "https_port": net.port_of(https)}
    return init.create(folder, "home", [host], **ports, **settings), mqtt, https


class Backdrop:
    """`with Backdrop(folder) as backdrop:`, host: by which devices find it; then `backdrop.play(fake_device, behave)`."""

    def __init__(self, folder, host="localhost"):
        self.fleet, self._mqtt, self._https = create_fleet(folder, host)
        self.requests = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._devices = []

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def play(self, fake, behave):
        """Connect a device. behave(frame: Unverified) -> frames to send back; raises in the test if the device can't connect."""
        asyncio.run_coroutine_threadsafe(self._connect(fake, behave), self._loop).result(20)

    async def _connect(self, fake, behave):
        up = asyncio.get_running_loop().create_future()
        self._devices.append(asyncio.create_task(self._live(fake, behave, up)))
        await up

    async def _live(self, fake, behave, up):
        async with device_client(self.fleet, fake) as client:
            await client.subscribe(f"srup/{fake.uuid}/c2", qos=1)
            up.set_result(None)
            async for message in client.messages:
                for frame in behave(wire.decode(message.payload)):
                    await client.publish(f"srup/{fake.uuid}/up", frame, qos=1)

    def _run(self):
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self):
        self._stop, self.heard = asyncio.Event(), []
        async with servers(self.fleet, self._mqtt, self._https, seen=self.requests.append):
            tasks = [asyncio.create_task(listen(self.fleet, Ledger(self.fleet), self.heard.append))]
            self._ready.set()
            await self._stop.wait()
            await end(*tasks, *self._devices)


class Whole(Backdrop):
    """With its pages, its API, its roll-outs, and polls over HTTPS: all that `srup serve` runs."""

    async def _serve(self):
        self._stop, self.heard, c2 = asyncio.Event(), [], C2(self.fleet)
        async with (
            servers(self.fleet, self._mqtt, self._https, seen=self.requests.append, c2=c2),
            working(c2, lambda event, by: self.heard.append(event), "localhost"),
        ):
            self._ready.set()
            await self._stop.wait()
            await end(*self._devices)
        c2.close()


def device_client(fleet, fake, **options):
    """The device's connection, as firmware/srup/transport.py makes it."""
    state = f"srup/{fake.uuid}/state"
    given = {
        "username": fake.uuid,
        "password": fake.password,
        "identifier": fake.uuid,
        "clean_session": False,
        "keepalive": 60,
        "will": aiomqtt.Will(state, b"offline", 1, True),
        "tls_context": ssl.create_default_context(cafile=str(fleet.ca)) if fleet.broker.tls else None,
    }
    return aiomqtt.Client(fleet.broker.host, fleet.broker.port, **(given | options))
