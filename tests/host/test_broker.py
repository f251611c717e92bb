"""What SRUP asks of a broker, of both that we configure: the embedded one and Mosquitto. And what the embedded one adds."""

import asyncio
import contextlib
import functools
import os
import ssl

import pytest

from srup_host import credentials, net
from srup_host.acl import Grant, Rules, matches
from srup_host.broker import PACKET, Broker
from srup_host.fleet import Fleet
from tests.flow.brokers import mosquitto
from tests.host.backdrop import create_fleet
from tests.host.fake_device import FakeDevice
from tests.host.mqtt import Raw, packet, text


class World:
    """A fleet with two devices, and what connects to its broker."""

    def __init__(self, fleet, context):
        self.fleet = fleet
        self.context = context
        self.kitchen, self.cellar = FakeDevice(fleet), FakeDevice(fleet, "cellar")
        self.stranger = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"  # has a password, and is not enrolled
        self.stranger_password = credentials.issue(fleet, self.stranger)
        self.c2, self.up, self.state = (f"srup/{self.kitchen.uuid}/{end}" for end in ("c2", "up", "state"))

    async def raw(self):
        return await Raw.open(self.fleet.broker.port, self.context)

    async def device(self, fake=None, **options):
        fake = fake or self.kitchen
        raw = await self.raw()
        assert await raw.connect(fake.uuid, fake.password, **options) == 0
        return raw

    async def server(self, client="srup-server.test"):
        login = credentials.server(self.fleet)
        raw = await self.raw()
        assert await raw.connect(login.user, login.password, client, clean=True) == 0
        return raw


@contextlib.asynccontextmanager
async def amqtt_running(fleet, sockets, tls):
    async with Broker(fleet, sockets, net.server_context(fleet) if tls else None) as broker:
        yield broker


@contextlib.asynccontextmanager
async def mosquitto_running(fleet, sockets, tls):
    for one in sockets:
        one.close()
    with mosquitto(fleet, fleet.directory / "mosquitto"):
        yield None


RUNNING = {"amqtt": amqtt_running, "mosquitto": mosquitto_running}


def on(*brokers, tls=True):
    """Run the async test once on each of these brokers; it is given the world and the broker."""

    def decorate(story):
        @pytest.mark.parametrize("kind", brokers)
        @functools.wraps(story)
        def test(tmp_path, kind):
            async def told():
                fleet, mqtt, https = create_fleet(tmp_path / "fleet", broker_tls=tls)
                for one in https:
                    one.close()
                world = World(fleet, net.client_context(fleet) if tls else None)
                async with RUNNING[kind](fleet, mqtt, tls) as broker:
                    await story(world, broker)

            asyncio.run(told())

        del test.__wrapped__  # pytest is to see the parameters of `test`
        return test

    return decorate


BOTH = ("amqtt", "mosquitto")


# Frames get there


@on(*BOTH)
async def test_a_device_that_was_away_gets_its_frames_in_order(world, broker):
    device = await world.device()
    await device.subscribe(world.c2)
    device.abort()
    server = await world.server()
    for number in range(3):
        await server.publish(world.c2, b"%d" % number)
    device = await world.device()
    assert [(await device.message())[1] for _ in range(3)] == [b"0", b"1", b"2"]


@on(*BOTH)
async def test_what_was_not_acknowledged_comes_again_on_the_next_connection(world, broker):
    device = await world.device()
    await device.subscribe(world.c2)
    server = await world.server()
    await server.publish(world.c2, b"frame")
    assert (await device.message(acknowledge=False))[1] == b"frame"
    device.abort()
    device = await world.device()
    _, payload, flags = await device.message(acknowledge=False)
    assert payload == b"frame" and flags & 8  # a duplicate, and marked as one
    device.abort()
    device = await world.device()
    assert (await device.message())[1] == b"frame"
    await server.publish(world.c2, b"next")
    assert (await device.message())[1] == b"next"
    device.abort()
    device = await world.device()
    await server.publish(world.c2, b"last")
    assert (await device.message())[1] == b"last"  # and not again what was acknowledged


@on("amqtt")
async def test_a_slow_acknowledgement_is_one(world, broker):
    """amqtt itself gives a message up after five seconds; a board may verify a signature for longer than that."""
    device = await world.device()
    await device.subscribe(world.c2)
    server = await world.server()
    await server.publish(world.c2, b"first")
    await device.message(acknowledge=False)
    await server.publish(world.c2, b"second")  # not held up by it
    assert (await device.message(acknowledge=False))[1] == b"second"
    device.send(0x40, b"\0\1")
    device.send(0x40, b"\0\2")
    await device.publish(world.up, b"answer")  # so both have been read
    device.abort()
    device = await world.device()
    await server.publish(world.c2, b"third")
    assert (await device.message())[1] == b"third"


@on("amqtt")
async def test_frames_wait_for_a_device_that_has_never_been_here(world, broker):
    server = await world.server()
    await server.publish(world.c2, b"welcome")
    device = await world.device()
    await server.publish(world.c2, b"before it subscribes")
    assert [(await device.message())[1] for _ in range(2)] == [b"welcome", b"before it subscribes"]
    assert await device.subscribe(world.c2) == 1
    await server.publish(world.c2, b"and after")
    assert (await device.message())[1] == b"and after"


@on(*BOTH)
async def test_a_new_connection_takes_the_place_of_one_that_hangs(world, broker):
    old = await world.device()
    await old.subscribe(world.c2)
    new = await world.device()
    assert await old.ended()
    server = await world.server()
    for number in range(3):
        await server.publish(world.c2, b"%d" % number)
        assert (await new.message())[1] == b"%d" % number


@on("amqtt")
async def test_ten_connections_of_one_device_at_once(world, broker):
    first = await world.device()
    await first.subscribe(world.c2)
    await asyncio.gather(*(world.device() for _ in range(10)), return_exceptions=True)
    last = await world.device()
    server = await world.server()
    await server.publish(world.c2, b"frame")
    assert (await last.message())[1] == b"frame"
    assert broker.connected() == [world.kitchen.uuid, "srup-server.test"] or broker.connected() == [
        "srup-server.test",
        world.kitchen.uuid,
    ]


@on("amqtt")
async def test_nothing_is_lost_while_others_come_and_go(world, broker):
    """amqtt itself drops the message in hand when its subscriptions change."""
    device, other = await world.device(), await world.device(world.cellar)
    listeners = [await world.server(f"srup-server.{topic}") for topic in (world.up, "srup/+/up", "srup/#")]
    for listener, topic in zip(listeners, (world.up, "srup/+/up", "srup/#"), strict=True):
        await listener.subscribe(topic)

    async def come_and_go():
        for number in range(200):
            await other.subscribe(f"app/{world.cellar.uuid}/{number}")

    async def send():
        for number in range(100):
            await device.publish(world.up, b"%d" % number)

    async def receive(listener):
        return [(await listener.message())[1] for _ in range(100)]

    _, _, *got = await asyncio.gather(come_and_go(), send(), *map(receive, listeners))
    assert got == [[b"%d" % number for number in range(100)]] * 3


# The state of a device


@on(*BOTH)
async def test_state_is_retained_and_the_last_will_says_offline(world, broker):
    server = await world.server()
    await (await world.device()).publish(world.up, b"")  # a session, which is resumed with a will
    for _ in range(2):
        device = await world.device(will=(world.state, b"offline"))
        await device.publish(world.state, b"online", retain=True)
        late = await world.server("srup-server.late")
        late.send(0x82, b"\0\1" + text("srup/+/state") + b"\1")
        assert (await late.message())[:2] == (world.state, b"online")
        device.abort()
        assert (await late.message())[:2] == (world.state, b"offline")
        late.abort()
        server.send(0x82, b"\0\1" + text(world.state) + b"\1")
        topic, payload, flags = await server.message()
        assert (topic, payload) == (world.state, b"offline") and flags & 1
        server.abort()
        server = await world.server()


@on(*BOTH)
async def test_a_device_that_goes_quiet_is_offline(world, broker):
    server = await world.server()
    await server.subscribe("srup/+/state")
    device = await world.device(keepalive=1, will=(world.state, b"offline"))
    assert (await server.message())[:2] == (world.state, b"offline")
    assert await device.ended()


@on(*BOTH)
async def test_the_state_of_others_is_nobodys_business(world, broker):
    """amqtt itself sends a client that reconnects the retained messages of everybody's subscriptions."""
    server = await world.server()
    await server.subscribe("srup/+/state")
    other = await world.device(world.cellar)
    await other.publish(f"srup/{world.cellar.uuid}/state", b"online", retain=True)
    device = await world.device()
    await device.subscribe(world.c2)
    device.abort()
    device = await world.device()
    await server.publish(world.c2, b"frame")
    assert (await device.message())[:2] == (world.c2, b"frame")


@on(*BOTH)
async def test_who_has_not_acknowledged_what_is_retained_is_heard(world, broker):
    """amqtt itself waits for the acknowledgement before it reads on: a server that subscribed twice never got its second SUBACK."""
    await (await world.device()).publish(world.state, b"online", retain=True)
    server = await world.server()
    await server.subscribe("srup/+/state")
    assert await server.subscribe("srup/+/up") == 1
    await server.publish(world.c2, b"frame")


# Who may do what


@on(*BOTH)
async def test_topics(world, broker):
    server = await world.server()
    await server.subscribe("srup/#")
    await server.subscribe("app/#")
    device, uuid, other = await world.device(), world.kitchen.uuid, world.cellar.uuid
    allowed = [world.up, world.state, f"app/{uuid}/temperature"]
    refused = [world.c2, f"srup/{other}/up", f"srup/{other}/c2", f"srup/{other}/state", f"app/{other}/x", "srup/join"]
    for topic in [*refused, *allowed, "srup/group/x/c2", f"srup/{uuid}"]:
        await device.publish(topic, topic.encode())
    await device.publish(world.up, b"end")
    heard = []
    while not heard or heard[-1] != b"end":
        heard.append((await server.message())[1])
    assert heard == [topic.encode() for topic in allowed] + [b"end"]


@on(*BOTH)
async def test_subscriptions(world, broker):
    """Mosquitto grants what it then does not deliver; so what counts is what arrives."""
    device, uuid, other = await world.device(), world.kitchen.uuid, world.cellar.uuid
    for topic in ("#", "srup/#", "srup/+/c2", f"srup/{other}/c2", "app/#", f"srup/{other}/+", "$SYS/#", world.c2):
        await device.subscribe(topic)
    server = await world.server()
    for topic in (f"srup/{other}/c2", f"app/{other}/x", f"srup/{other}/up", world.c2):
        await server.publish(topic, topic.encode())
    assert (await device.message())[0] == world.c2
    assert uuid in world.c2


@on(*BOTH)
async def test_a_board_that_has_not_joined_can_ask_to_and_hear_the_answer(world, broker):
    server = await world.server()
    await server.subscribe("#")
    await server.subscribe("srup/#")
    raw = await world.raw()
    assert await raw.connect(world.stranger, world.stranger_password) == 0
    await raw.publish(f"srup/{world.stranger}/up", b"no")
    await raw.publish(f"srup/{world.stranger}/state", b"no", retain=True)
    await raw.publish("srup/join", b"please")
    assert (await server.message())[:2] == ("srup/join", b"please")
    await raw.subscribe(f"srup/{world.stranger}/c2")
    await server.publish(f"srup/{world.stranger}/c2", b"welcome")
    assert (await raw.message())[1] == b"welcome"


@on(*BOTH)
async def test_nobody_comes_in_without_the_right_password(world, broker):
    kitchen, login = world.kitchen, credentials.server(world.fleet)
    pairs = [(kitchen.uuid, "wrong"), (kitchen.uuid, ""), (kitchen.uuid, world.cellar.password), ("", "")]
    for user, password in [*pairs, (login.user, "srup-server"), ("../server", "x"), ("nobody", "nobody")]:
        raw = await world.raw()
        with contextlib.suppress(asyncio.IncompleteReadError):
            assert await raw.connect(user, password, "somebody") in (2, 4, 5)
        raw.abort()
    raw = await world.raw()
    raw.send(0x10, text("MQTT") + bytes((4, 2, 0, 60)) + text("anonymous"))
    with contextlib.suppress(asyncio.IncompleteReadError):
        assert (await raw.receive())[1][1] in (2, 4, 5)


@on("amqtt")
async def test_a_stranger_who_claims_a_devices_name_changes_nothing_for_it(world, broker):
    """amqtt itself ends the device's connection, or its session with all that is queued, before it asks for the password."""
    device = await world.device()
    await device.subscribe(world.c2)
    for clean in (False, True):
        raw = await world.raw()
        assert await raw.connect(world.kitchen.uuid, "wrong", clean=clean) == 4
        other = world.cellar
        raw = await world.raw()
        assert await raw.connect(other.uuid, other.password, world.kitchen.uuid, clean=clean) == 2
    server = await world.server()
    await server.publish(world.c2, b"frame")
    assert (await device.message())[1] == b"frame"


@on("amqtt")
async def test_a_last_will_goes_nowhere_else(world, broker):
    for topic in (f"srup/{world.cellar.uuid}/state", world.c2, "srup/join", "srup/+/state"):
        raw = await world.raw()
        assert await raw.connect(world.kitchen.uuid, world.kitchen.password, will=(topic, b"x")) == 5


@on("amqtt")
async def test_a_device_has_one_name_and_the_server_several(world, broker):
    raw = await world.raw()
    assert await raw.connect(world.kitchen.uuid, world.kitchen.password, f"{world.kitchen.uuid}.2") == 2
    assert all([await world.server(), await world.server("srup-server"), await world.server("srup-server.2")])


@on("amqtt")
async def test_revoked_is_out_at_its_next_connection(world, broker):
    credentials.revoke(world.fleet, world.kitchen.uuid)
    raw = await world.raw()
    assert await raw.connect(world.kitchen.uuid, world.kitchen.password) == 4


# Peers that misbehave


@on("amqtt")
async def test_noise_does_no_harm(world, broker):
    noises = [
        b"",
        b"\0" * 100,
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\xff\x7f",
        b"\x10\x00",
        packet(0x30, text("a") + b"x"),
        packet(0x10, text("MQTT") + bytes((4, 0xC2, 0, 60)) + text(b"\xff\xfe") + text(b"\xff") + text(b"\xff")),
        packet(0x10, text("MQIsdp") + bytes((3, 2, 0, 60)) + text("x")),
        os.urandom(500),
    ]
    for noise in noises:
        raw = await world.raw()
        raw.writer.write(noise)
        raw.writer.write_eof() if raw.writer.can_write_eof() else raw.abort()
    device = await world.device()
    device.writer.write(b"\xf0\x00\x00\x00")
    device = await world.device()
    assert await device.subscribe(world.c2) == 1


@on("amqtt")
async def test_a_packet_longer_than_any_ends_the_connection(world, broker):
    device = await world.device()
    device.send(0x32, text(world.up) + b"\0\2" + bytes(PACKET + 1))
    assert await device.ended()
    device = await world.device()
    await device.publish(world.up, bytes(PACKET - 100))


@on("amqtt")
async def test_a_device_that_is_thrown_out_is_away_and_its_frames_wait(world, broker):
    device = await world.device()
    await device.subscribe(world.c2)
    device.send(0x32, text("$SYS/x") + b"\0\2")
    assert await device.ended()
    server = await world.server()
    await server.publish(world.c2, b"frame")
    device = await world.device()
    assert (await device.message())[1] == b"frame"


@on("amqtt", tls=False)
async def test_plain_tcp(world, broker):
    device = await world.device()
    assert await device.subscribe(world.c2) == 1


@on("amqtt")
async def test_a_tls_port_takes_nothing_else(world, broker):
    raw = await Raw.open(world.fleet.broker.port)
    raw.send(0x10, text("MQTT"))
    with pytest.raises((asyncio.IncompleteReadError, OSError)):
        await raw.receive()


def test_tls_can_be_capped_and_more_sockets_can_be_plain(tmp_path):
    async def story():
        fleet, mqtt, https = create_fleet(tmp_path / "fleet")
        context = net.server_context(fleet, ssl.TLSVersion.TLSv1_2)
        async with Broker(fleet, mqtt, context, https) as broker:
            raw = await Raw.open(broker.port, net.client_context(fleet))
            assert raw.writer.get_extra_info("ssl_object").version() == "TLSv1.2"
            plain = await Raw.open(net.port_of(https))
            kitchen = FakeDevice(fleet)
            assert await plain.connect(kitchen.uuid, kitchen.password) == 0
        with pytest.raises(OSError):
            await Raw.open(fleet.broker.port)

    asyncio.run(story())


# The rules themselves


@pytest.mark.parametrize(
    ("given", "topic", "covered"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/b/c", "a/b", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "ab", False),
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/d", False),
        ("a/+", "a/+", True),
        ("a/b", "a/+", False),
        ("a/+", "a/#", False),
        ("a/+/c", "a/#", False),
        ("a/#", "a/+/#", True),
        ("a/#", "#", False),
        ("a/#", "+/b", False),
    ],
)
def test_a_filter_covers_a_topic_or_a_narrower_filter(given, topic, covered):
    assert matches(given, topic) is covered


def test_devices_read_the_commands_of_their_groups(tmp_path):
    fleet, mqtt, https = create_fleet(tmp_path / "fleet")
    for one in (*mqtt, *https):
        one.close()
    kitchen, cellar = FakeDevice(fleet), FakeDevice(fleet, "cellar")
    group = str(fleet.group("indoors"))
    rules = Rules(fleet, lambda device: [group] if device == kitchen.uuid else [])
    assert Grant(f"srup/group/{group}/c2", read=True) in rules.grants(kitchen.uuid)
    assert rules.may_subscribe(kitchen.uuid, f"srup/group/{group}/c2")
    assert not rules.may_publish(kitchen.uuid, f"srup/group/{group}/c2")
    assert not rules.may_subscribe(cellar.uuid, f"srup/group/{group}/c2")


def test_passwords_are_random_and_only_their_hash_is_kept(tmp_path):
    fleet, mqtt, https = create_fleet(tmp_path / "fleet")
    for one in (*mqtt, *https):
        one.close()
    kitchen = FakeDevice(fleet)
    login = credentials.server(fleet)
    assert credentials.check(fleet, kitchen.uuid, kitchen.password)
    assert credentials.check(fleet, *login) and credentials.server(Fleet.open(fleet.directory)) == login
    assert credentials.issue(fleet, kitchen.uuid) != kitchen.password
    assert not credentials.check(fleet, kitchen.uuid, kitchen.password)  # void
    for path in (fleet.directory / "mqtt").iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert path.name == "server.json" or kitchen.password not in path.read_text()
