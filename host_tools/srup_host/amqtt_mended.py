"""amqtt 0.12 with our topic rules, and with what stood in the way of QoS 1 and of last wills put right.

Handler         a message that has not been acknowledged is sent again on the next connection; amqtt gives it up after
                five seconds, and with the connection
Subscriptions   amqtt goes through all of them for each message, and loses the message where they change meanwhile
Amqtt           a resumed session keeps its will's retain flag; a client gets the retained messages of its own
                subscriptions, not of everybody's, and is heard before it has acknowledged them; the queue of a client
                that is away has an end; a connection that ends by an error leaves its session marked as away; frames
                wait for a device that has yet to come
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import amqtt.broker
from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import RetainedApplicationMessage
from amqtt.contexts import Action, BrokerConfig, ListenerConfig, ListenerType
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.puback import PubackPacket
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import IncomingApplicationMessage, OutgoingApplicationMessage, Session

from srup_host.acl import Rules, matches, user_of

QUEUE = 1000  # messages kept for a client that is away; then the oldest goes

_LISTENER = "default"


class Gate(BaseAuthPlugin):
    """amqtt asks its plugins about the password; the door, the only way in, has asked already."""

    async def authenticate(self, *, session: Session) -> bool | None:
        return session.client_id is not None


class Topics(BaseTopicPlugin):
    """The topics of acl.py, by client id: it has been checked, and no later CONNECT can change it."""

    @dataclass
    class Config(BaseTopicPlugin.Config):
        rules: Any

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        rules: Rules = self.config.rules
        may = rules.may_publish if action == Action.PUBLISH else rules.may_subscribe
        return may(user_of(session.client_id if session else None), topic or "")


class Amqtt(amqtt.broker.Broker):
    def __init__(self, rules: Rules):
        plugins: dict[str, Any] = {f"{__name__}.Gate": {}, f"{__name__}.Topics": {"rules": rules}}
        listeners = {_LISTENER: ListenerConfig(type=ListenerType.EXTERNAL)}
        super().__init__(BrokerConfig(listeners=listeners, plugins=plugins))
        self._subscribed = self._subscriptions = Subscriptions()
        self._retain_will: dict[ReaderAdapter, bool] = {}

    def expect(self, client: str) -> None:
        """There is a session for this client, from now on: what comes while it connects for the first time goes there too."""
        if client not in self._sessions:
            handler, session = self.create_offline_session(client)
            self._sessions[client] = (session, handler)

    async def serve(self, reader: ReaderAdapter, writer: WriterAdapter, retain_will: bool) -> None:
        """Talk to a client whose CONNECT comes first, until its connection ends."""
        self._retain_will[reader] = retain_will
        try:
            await self.external_connected(reader, writer, _LISTENER)
        finally:
            del self._retain_will[reader]

    async def _broadcast_message(
        self, session: Session | None, topic: str | None, data: bytes | bytearray | None, force_qos: int | None = None
    ) -> None:
        await self._expect_reader(topic or "")
        await super()._broadcast_message(session, topic, data, force_qos)

    async def _run_broadcast(self, running_tasks: deque[asyncio.Task[OutgoingApplicationMessage]]) -> None:
        """Hand one message to all who are to get it."""
        broadcast = await self._broadcast_queue.get()
        topic, data = broadcast["topic"], broadcast["data"]
        for session, granted in self._subscribed.of(topic):
            qos = broadcast.get("qos", granted)
            if not await self._topic_filtering(session, topic=topic, action=Action.RECEIVE):
                continue
            handler = self._get_handler(session)
            if session.transitions.state != "connected":
                if qos and not session.clean_session:
                    await self._retain_broadcast_message(broadcast, qos, session)
            elif handler:
                running_tasks.append(asyncio.ensure_future(handler.mqtt_publish(topic, data, qos, retain=False)))

    async def _expect_reader(self, topic: str) -> None:
        """A frame for a device that has not subscribed since the broker started is queued for it, and not lost."""
        match topic.split("/"):
            case ["srup", device, "c2"] if topic not in self._subscriptions:
                self.expect(device)
                await self.add_subscription((topic, 1), self._sessions[device][0])

    async def _handle_client_session(
        self,
        reader: ReaderAdapter,
        writer: WriterAdapter,
        client_session: Session,
        handler: BrokerProtocolHandler,
        server: amqtt.broker.Server,
        listener_name: str,
    ) -> None:
        client_session.will_retain = self._retain_will[reader]
        handler = Handler(self.plugins_manager)
        try:
            await super()._handle_client_session(reader, writer, client_session, handler, server, listener_name)
        finally:
            client_session.transitions.disconnect()

    async def _publish_session_retained_messages(self, session: Session) -> None:
        """What was queued, without waiting: the client's own packets are read meanwhile."""
        handler = self._get_handler(session)
        while handler and not session.retained_messages.empty():
            queued = session.retained_messages.get_nowait()
            publishing = handler.mqtt_publish(queued.topic, queued.data, queued.qos, retain=False)
            self._tasks_queue.append(asyncio.ensure_future(publishing))

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Without waiting, too: who has yet to acknowledge them may have more to say first, a SUBSCRIBE for one."""
        wanted, granted = subscription
        handler = self._get_handler(session)
        subscribers = self._subscriptions.get(wanted, ())
        if not handler or all(subscriber is not session for subscriber, _ in subscribers):
            return
        for retained in self._retained_of(wanted):
            qos = granted if retained.qos is None else min(granted, retained.qos)
            publishing = handler.mqtt_publish(retained.topic, retained.data, qos, retain=True)
            self._tasks_queue.append(asyncio.ensure_future(publishing))

    def _retained_of(self, wanted: str) -> list[RetainedApplicationMessage]:
        """Looked up where the filter names one topic: it is asked for each subscription of each that connects."""
        if "+" not in wanted and "#" not in wanted:
            found = self._retained_messages.get(wanted)
            return [found] if found else []
        return [retained for topic, retained in self._retained_messages.items() if matches(wanted, topic)]

    async def _retain_broadcast_message(self, broadcast: dict[str, Any], qos: int, target_session: Session) -> None:
        if target_session.retained_messages.qsize() >= QUEUE:
            target_session.retained_messages.get_nowait()
        await super()._retain_broadcast_message(broadcast, qos, target_session)


class Subscriptions(dict[str, list[tuple[Session, int]]]):
    """Filter -> who has it. Found by the topic, however many they are; gone through as they were when that began."""

    def __init__(self) -> None:
        super().__init__()
        self._patterns: set[str] = set()

    def __setitem__(self, topic_filter: str, subscribers: list[tuple[Session, int]]) -> None:
        if "+" in topic_filter or "#" in topic_filter:
            self._patterns.add(topic_filter)
        super().__setitem__(topic_filter, subscribers)

    def __delitem__(self, topic_filter: str) -> None:
        self._patterns.discard(topic_filter)
        super().__delitem__(topic_filter)

    def clear(self) -> None:
        self._patterns.clear()
        super().clear()

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.keys()))

    def of(self, topic: str) -> list[tuple[Session, int]]:
        """Who is to get a message on this topic."""
        matching = [one for one in self._patterns if matches(one, topic)]
        return [found for one in (topic, *matching) for found in self.get(one, ())]


class Handler(BrokerProtocolHandler):
    _stopped = False

    async def stop(self) -> None:
        self._stopped = True
        await super().stop()

    async def _handle_qos1_message_flow(
        self, app_message: OutgoingApplicationMessage | IncomingApplicationMessage
    ) -> None:
        if isinstance(app_message, OutgoingApplicationMessage) and self.session and app_message.packet_id:
            self.session.inflight_out[app_message.packet_id] = app_message
            if not self._stopped:
                await self._deliver(app_message, app_message.packet_id)
        else:
            await super()._handle_qos1_message_flow(app_message)

    async def _deliver(self, message: OutgoingApplicationMessage, identifier: int) -> None:
        """Send, and wait for PUBACK as long as the connection lasts."""
        acknowledged = self._puback_waiters[identifier] = asyncio.get_running_loop().create_future()
        try:
            message.publish_packet = message.build_publish_packet(dup=message.publish_packet is not None)
            await self._send_packet(message.publish_packet)
            await acknowledged
        finally:
            self._puback_waiters.pop(identifier, None)  # a broker that stops has forgotten them all

    async def handle_puback(self, puback: PubackPacket) -> None:
        if self.session:
            self.session.inflight_out.pop(puback.packet_id, None)
        await super().handle_puback(puback)

    async def _retry_deliveries(self) -> None:
        """What the last connection left unacknowledged, before anything new; not waited for."""
        messages = list(self.session.inflight_out.values()) if self.session else []
        self._retries = [asyncio.ensure_future(self._handle_message_flow(message)) for message in messages]
