"""The server as an application in this process: a clock that can be set, devices that can be played, and people who ask."""

import re

from starlette.testclient import TestClient

from srup_host.server import accounts, app
from srup_host.server.c2 import C2
from srup_host.server.guard import COOKIE
from srup_host.server.roles import Role
from tests.host.fake_device import NOW, FakeDevice

PASSWORD = "correct horse battery"


class Clock:
    now = NOW

    def __call__(self):
        return self.now


class Site:
    """clock: ms · c2: what the server is about · published: the frames that would have gone to the broker."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.clock = Clock()
        self.c2 = C2(fleet, self.clock)
        self.app = app.create(self.c2)
        self.published = []
        self.c2.publish = self.published.append
        self.people = {}

    def device(self, name="kitchen", sealing_key=b""):
        """A new device of the fleet."""
        fake = FakeDevice(self.fleet, name, sealing_key)
        with self.c2.write() as session:
            self.c2_sync(session)
        return fake

    def c2_sync(self, session):
        from srup_host.server import registry

        registry.sync(session, self.fleet, self.clock())

    def hear(self, fake, frame):
        return self.c2.ledger.received(fake.uuid, frame)

    def client(self, **headers):
        return TestClient(self.app, base_url="https://testserver", headers=headers, follow_redirects=False)

    def program(self, role):
        """A client with an API token of this role; None: with none."""
        if role is Role.ANYBODY:
            return self.client()
        with self.c2.write() as session:
            secret, _ = accounts.make_token(session, f"a-{role.word}", role, self.clock())
        return self.client(Authorization=f"Bearer {secret}")

    def person(self, role, name=None):
        """A client with a session of somebody of this role, as a browser has it; its pages' csrf secret in `csrf`."""
        name = name or f"the-{role.word}"
        if name not in self.people:
            with self.c2.write() as session:
                secret = accounts.invite(session, role, self.clock())
            kept = accounts.hashed(name, PASSWORD)
            with self.c2.write() as session:
                self.people[name] = accounts.accept(session, secret, name, kept, self.clock()).id
        client = self.client()
        with self.c2.write() as session:
            secret = accounts.log_in(session, self.people[name], self.clock())
        client.cookies.set(COOKIE, secret)
        with self.c2.read() as session:
            client.csrf = accounts.visitor(session, secret, self.clock())[0].csrf
        return client

    def close(self):
        self.c2.close()


def csrf_of(page):
    """The secret in the form of a page."""
    return re.search(r'name="csrf" value="([^"]+)"', page).group(1)
