"""A fleet, a broker, an HTTPS server and a board on the MicroPython unix port, for a story; all real, on loopback.

The server here sends whatever the story says, rightly signed or not, and takes down every RESPONSE: unlike the ledger it has
no rules of its own.
"""

import asyncio
import contextlib
import hashlib
import os
import queue
import re
import ssl
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aiomqtt

from srup import status, tokens, wire
from srup_host import bundle, credentials, init, inventory, net, signing, sources
from srup_host.broker import Broker
from srup_host.virtual import making
from srup_host.virtual.running import VirtualBoard
from tests.flow.brokers import free_port, mosquitto
from tests.flow.peer import Answer, Peer, serving

GOOD = """
def setup(agent):
    agent.on_self_test(lambda: True)
    print("app {version}")
"""


class World:
    """`with World(tmp_path) as world:` — then `world.board.start()`, `world.initiate(...)`, `world.answer()`.

    broker: "amqtt" or "mosquitto" · tls: of MQTT; HTTPS always is · source: of the application in slot a, None for none
    """

    def __init__(
        self, folder: Path, broker: str = "amqtt", tls: bool = True, source: str | None = GOOD, **settings: Any
    ):
        self.folder = folder
        self._kind = broker
        self._tls = tls
        self.fleet = init.create(folder / "fleet", "test", broker_port=free_port(), broker_tls=tls)
        self.context = net.server_context(self.fleet, ssl.TLSVersion.TLSv1_2)
        self.peer = Peer(self.context, serving(b""))
        self.fleet.allow = [f"localhost:{self.peer.port}"]
        self.fleet.trial_s = settings.pop("trial_s", 60)
        self.command_key = self.fleet.private_key("command")
        first = folder / "first.srup"
        if source:
            first.write_bytes(self.bundle(source, "1.0"))
        self.board: Any = self.make_board(first if source else None, settings)
        self.device = self.fleet.devices()[0]
        self._arrived: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._last = tokens.ZERO
        self._expected = (b"", "")
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def make_board(self, application: Path | None, settings: dict[str, Any]) -> Any:
        """The board, off, with its software, and enrolled in the fleet."""
        making.make(self.folder / "board", self.fleet, "kitchen", application=application, **settings)
        return VirtualBoard(self.folder / "board")

    def __enter__(self) -> Self:
        self.peer.__enter__()
        self._thread.start()
        if not self._ready.wait(20):
            raise TimeoutError("the broker did not come up")
        return self

    def __exit__(self, *_: object) -> None:
        self.board.power_cut()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self.peer.__exit__()

    # the broker and the server's connection to it, in a thread

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        broker = self._amqtt() if self._kind == "amqtt" else self._mosquitto()
        async with broker, self._client() as self._connection:
            await self._connection.subscribe([("srup/+/up", 1), ("srup/+/state", 1), ("app/#", 1)])
            pump = asyncio.create_task(self._pump())
            self._ready.set()
            await self._stop.wait()
            pump.cancel()

    def _client(self) -> aiomqtt.Client:
        login = credentials.server(self.fleet)
        context = ssl.create_default_context(cafile=str(self.fleet.ca)) if self._tls else None
        address = self.fleet.broker
        return aiomqtt.Client(
            address.host,
            address.port,
            username=login.user,
            password=login.password,
            identifier=login.user,
            tls_context=context,
        )

    @contextlib.asynccontextmanager
    async def _amqtt(self) -> AsyncIterator[None]:
        context = self.context if self._tls else None
        async with Broker(self.fleet, net.listen("localhost", self.fleet.broker.port), context):
            yield

    @contextlib.asynccontextmanager
    async def _mosquitto(self) -> AsyncIterator[None]:
        with mosquitto(self.fleet, self.folder / "mosquitto"):
            yield

    async def _pump(self) -> None:
        async for message in self._connection.messages:
            self._arrived.put((message.topic.value, bytes(message.payload)))  # type: ignore[arg-type]

    def network_down(self) -> None:
        """The broker is gone, and the server with it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    def network_up(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(20), "the broker did not come up again"

    def publish(self, topic: str, payload: bytes) -> None:
        asyncio.run_coroutine_threadsafe(self._connection.publish(topic, payload, qos=1), self._loop).result(10)

    def heard(self, topic: str, timeout: float = 20) -> bytes:
        """The next payload on a topic (a regular expression); others are passed over."""
        until = time.monotonic() + timeout
        while True:
            try:
                name, payload = self._arrived.get(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"nothing on {topic}\n" + "\n".join(self.board.lines()[-20:])) from None
            if re.fullmatch(topic, name):
                return payload

    # frames

    def token(self, ms: int | None = None) -> bytes:
        self._last = tokens.mint(ms or time.time_ns() // 1_000_000, self._last, os.urandom(8))
        return self._last

    def sign(self, kind: int, key: signing.PrivateKey | None = None, **elements: Any) -> bytes:
        return signing.sign_frame(key or self.command_key, kind, elements)

    def send(self, frame: bytes) -> None:
        self.publish(f"srup/{self.device.uuid}/c2", frame)

    def url(self, name: str = "x.srup") -> str:
        return f"https://localhost:{self.peer.port}/{name}"

    def initiate(
        self, served: bytes, *, digest: bytes | None = None, answer: Answer | None = None, url: str = ""
    ) -> bytes:
        """Serve these bytes (or `answer`), send INITIATE for them, return its token."""
        self.peer.answer = answer or serving(served)
        token = self.token()
        digest = digest or hashlib.sha256(served).digest()
        where = (url or self.url()).encode()
        self.send(self.sign(wire.INITIATE, target=self.device.target, token=token, url=where, digest=digest))
        return token

    def activate(self, token: bytes, key: signing.PrivateKey | None = None) -> bytes:
        frame = self.sign(wire.ACTIVATE, key, token=token)
        self.send(frame)
        return frame

    def data(self, name: str, value: bytes) -> bytes:
        token = self.token()
        self.send(self.sign(wire.DATA, target=self.device.target, token=token, name=name.encode(), value=value))
        return token

    def action(self, action: int, parameters: bytes = b"") -> bytes:
        token = self.token()
        elements = {"target": self.device.target, "token": token, "action": action, "parameters": parameters}
        self.send(self.sign(wire.ACTION, **elements))
        return token

    def answer(self, timeout: float = 20) -> tuple[bytes, str]:
        """(token, name of the status) of the next RESPONSE; its signature is checked."""
        while True:
            unverified = wire.decode(self.heard(f"srup/{self.device.uuid}/up", timeout))
            signing.verify_frame(self.device.key, unverified)
            if unverified.type == wire.RESPONSE:
                return unverified.elements["token"], status.name(unverified.elements["status"])

    def expect(self, token: bytes, name: str, timeout: float = 20) -> None:
        """The next RESPONSE is this one; the one before may have come twice (QoS 1, and a restart before its PUBACK)."""
        before, self._expected = self._expected, (token, name)
        heard = self.answer(timeout)
        while heard == before != self._expected:
            heard = self.answer(timeout)
        assert heard == self._expected, "\n".join(self.board.lines()[-20:])

    def inventory(self, timeout: float = 20) -> dict[str, Any]:
        self.send(self.sign(wire.ID_REQUEST, target=self.device.target, token=self.token()))
        while True:
            unverified = wire.decode(self.heard(f"srup/{self.device.uuid}/up", timeout))
            signing.verify_frame(self.device.key, unverified)
            if unverified.type == wire.DATA and unverified.elements["name"] == b"inventory":
                return inventory.read(unverified.elements["value"])

    def silence(self) -> None:
        """Nothing has come that was not asked for: the board answers an ID_REQUEST with its inventory, and nothing before it."""
        self.send(self.sign(wire.ID_REQUEST, target=self.device.target, token=self.token()))
        unverified = wire.decode(self.heard(f"srup/{self.device.uuid}/up"))
        assert unverified.type == wire.DATA, unverified.elements

    # software

    def bundle(self, source: str | dict[str, str], version: str, **changes: Any) -> bytes:
        """A release of an application: its app.py, or all its files. {version} in it is replaced."""
        contents = {"app.py": source} if isinstance(source, str) else source
        compiled = sources.compile_all(
            {path: text.replace("{version}", version).encode() for path, text in contents.items()}
        )
        key = changes.pop("key", None) or self.fleet.private_key("release")
        return bundle.pack(compiled, key, name="kitchen", version=version, counter=changes.pop("counter", 1), **changes)

    def start(self) -> None:
        self.board.start()
        self.board.wait_for("srup: connected")

    def update(self, source: str | dict[str, str], version: str) -> bytes:
        """INITIATE, RESPONSE, ACTIVATE: the board restarts into its trial. Returns the token."""
        token = self.initiate(self.bundle(source, version))
        self.expect(token, "UPDATE_SUCCESS")
        self.activate(token)
        return token
