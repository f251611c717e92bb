"""srup serve: files by HTTPS and nothing else of the disk, and the whole as a process."""

import asyncio
import contextlib
import http.client
import os
import pty
import select
import signal
import socket
import ssl
import subprocess
import sys

import pytest

from srup import status
from srup_host import hosting, init, net
from srup_host.console import Failure
from srup_host.hosting import Hosting
from srup_host.ledger import Ledger
from tests.flow.brokers import mosquitto
from tests.host.backdrop import create_fleet
from tests.host.fake_device import FakeDevice
from tests.host.mqtt import Raw
from tests.host.shell import failed, srup

CONTENT = bytes(range(256)) * 1000


class Site:
    """What `Hosting` serves, and a client that trusts it."""

    def __init__(self, fleet, port, requests):
        self.fleet = fleet
        self.port = port
        self.requests = requests
        self.public = hosting.public(fleet)
        self.context = net.client_context(fleet)

    async def seen(self, number):
        """The first `number` requests, once the server is done with them."""
        async with asyncio.timeout(20):
            while len(self.requests) < number:
                await asyncio.sleep(0.01)
        return self.requests

    async def get(self, path, method="GET", **headers):
        """(status, headers, body)"""
        return await asyncio.to_thread(self._get, path, method, headers)

    def _get(self, path, method, headers):
        connection = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=20)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()


@pytest.fixture
def visit(tmp_path):
    """visit(story, newest=...): run the async `story(site)` against a server."""

    def run(story, newest=ssl.TLSVersion.MAXIMUM_SUPPORTED):
        async def told():
            fleet, mqtt, https = create_fleet(tmp_path / "fleet")
            for one in mqtt:
                one.close()
            requests = []
            async with Hosting(
                hosting.public(fleet), net.server_context(fleet, newest), https, requests.append
            ) as site:
                (hosting.public(fleet) / "app.srup").write_bytes(CONTENT)
                await story(Site(fleet, site.port, requests))
            assert len(asyncio.all_tasks()) == 1  # nothing is left running
            return fleet

        fleet = asyncio.run(told())
        with pytest.raises(OSError):
            socket.create_connection(("localhost", fleet.https.port), 5)

    return run


def test_a_whole_file(visit):
    async def story(site):
        code, headers, body = await site.get("/app.srup")
        assert (code, body) == (200, CONTENT)
        assert headers["content-length"] == str(len(CONTENT)) and headers["accept-ranges"] == "bytes"
        code, headers, body = await site.get("/app.srup", "HEAD")
        assert (code, headers["content-length"], body) == (200, str(len(CONTENT)), b"")
        assert [tuple(request) for request in await site.seen(2)] == [
            ("/app.srup", 200, len(CONTENT), ""),
            ("/app.srup", 200, 0, ""),
        ]

    visit(story)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=1000-", 1000, 256_000),
        ("bytes=0-0", 0, 1),
        ("bytes=255999-", 255_999, 256_000),
        ("bytes=-5", 255_995, 256_000),
    ],
)
def test_a_range(visit, asked, start, end):
    async def story(site):
        code, headers, body = await site.get("/app.srup", Range=asked)
        assert (code, body) == (206, CONTENT[start:end])
        assert headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
        assert headers["content-length"] == str(end - start)
        assert (await site.seen(1))[0].range == asked

    visit(story)


def test_a_range_beyond_the_end(visit):
    async def story(site):
        for asked in (f"bytes={len(CONTENT)}-", "bytes=999999999-"):
            code, headers, _ = await site.get("/app.srup", Range=asked)
            assert (code, headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")

    visit(story)


def test_nothing_but_the_files_meant_for_everybody(visit):
    async def story(site):
        (site.public / "folder").mkdir()
        (site.public / "folder" / "inner").write_text("inner")
        (site.public / ".app.srup.part").write_text("unfinished")
        (site.public / ".git").mkdir()
        (site.public / ".git" / "config").write_text("hidden")
        (site.public / "link").symlink_to(site.fleet.directory / "srup.toml")
        os.mkfifo(site.public / "pipe")
        assert (await site.get("/folder/inner"))[0] == 200
        for path in [
            *("/", "/folder", "/folder/", "/nothing", "/link", "/pipe", "/.app.srup.part", "/.git/config"),
            *("/../srup.toml", "/%2e%2e/srup.toml", "/..%2fsrup.toml", "/folder/../../srup.toml", "//etc/passwd"),
            *("/%2fetc/passwd", "/app.srup/", "/app.srup/x", "/app.srup%00", "/" + "x" * 300, "/%ff"),
        ]:
            code, _, body = await site.get(path)
            assert (code, b"home" in body) == (404, False), path
        assert (await site.get("/app.srup", "POST", **{"Content-Length": "0"}))[0] == 405
        assert (await site.get("/app.srup", "DELETE"))[0] == 405

    visit(story)


@pytest.mark.parametrize(("newest", "spoken"), [("TLSv1_2", "TLSv1.2"), ("TLSv1_3", "TLSv1.3")])
def test_tls_up_to_what_is_asked_for(visit, newest, spoken):
    async def story(site):
        _, writer = await asyncio.open_connection("localhost", site.port, ssl=site.context)
        assert writer.get_extra_info("ssl_object").version() == spoken
        writer.transport.abort()

    visit(story, ssl.TLSVersion[newest])


def test_it_stops_while_somebody_downloads(visit):
    async def story(site):
        (site.public / "long").write_bytes(bytes(50_000_000))
        reader, writer = await asyncio.open_connection("localhost", site.port, ssl=site.context)
        writer.write(b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")  # and reads no more

    visit(story)


def test_a_bundle_never_takes_the_place_of_another(tmp_path):
    from srup_host import bundle

    fleet = init.create(tmp_path / "fleet", "home")
    urls = []
    for content in (b"1", b"2", b"1"):
        packed = bundle.pack({"a": content}, fleet.private_key("release"), name="app", version="1.0+a", counter=0)
        (tmp_path / "x").write_bytes(packed)
        urls.append(hosting.offer(fleet, tmp_path / "x", bundle.read(tmp_path / "x")))
    assert urls[0] == urls[2] != urls[1]
    assert urls[0].startswith("https://localhost:8443/app-1.0%2Ba-")
    assert len(list(hosting.public(fleet).iterdir())) == 2


def test_two_servers_on_one_port_say_what_is_wrong():
    sockets = net.listen("localhost", 0)
    with pytest.raises(Failure, match="is another server running there"):
        net.listen("localhost", net.port_of(sockets))
    with pytest.raises(Failure, match="no address of"):
        net.listen("nowhere.invalid", 0)
    for one in sockets:
        one.close()


# The process


@contextlib.contextmanager
def serving(fleet, *arguments):
    """`srup serve` as a user starts it; gives the process once it listens."""
    command = [sys.executable, "-m", "srup_host.cli", "serve", "--fleet", str(fleet.directory), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            if line.startswith("https"):
                break
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def fleet(tmp_path):
    fleet, mqtt, https = create_fleet(tmp_path / "fleet")
    for one in (*mqtt, *https):
        one.close()
    return fleet


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_asked_to_stop(fleet, number):
    with serving(fleet) as process:
        (hosting.public(fleet) / "app.srup").write_bytes(CONTENT)
        site = Site(fleet, fleet.https.port, [])
        assert asyncio.run(site.get("/app.srup"))[2] == CONTENT
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "stopped\n")
        assert "/app.srup  200, 256.0 kB" in out


def test_what_a_restart_of_the_broker_forgot_is_sent_again_and_what_devices_say_is_heard(fleet):
    kitchen, ledger = FakeDevice(fleet), Ledger(fleet)
    sent = ledger.action(kitchen.device, 1)  # signed while no broker was running

    async def device():
        raw = await Raw.open(fleet.broker.port, net.client_context(fleet))
        assert await raw.connect(kitchen.uuid, kitchen.password) == 0
        assert (await raw.message())[1] == sent.frame
        await raw.publish(f"srup/{kitchen.uuid}/up", kitchen.response(sent.token, status.ACTION_SUCCESS))

    with serving(fleet) as process:
        asyncio.run(device())
        line = next(line for line in process.stdout if line.startswith("mqtt"))
        assert line.startswith("mqtt   kitchen  ACTION_SUCCESS")
    assert ledger.transaction(kitchen.device, sent.token).status == status.ACTION_SUCCESS


def test_mqtt_in_the_clear_is_there_only_where_it_is_asked_for(fleet):
    [extra] = net.listen("127.0.0.1", 0)
    port = net.port_of([extra])
    extra.close()
    kitchen = FakeDevice(fleet)

    async def connect():
        raw = await Raw.open(port)
        return await raw.connect(kitchen.uuid, kitchen.password)

    with serving(fleet, "--unencrypted-port", str(port)):
        assert asyncio.run(connect()) == 0
    with serving(fleet), pytest.raises(OSError):
        asyncio.run(connect())


def test_with_a_broker_of_ones_own_that_comes_and_goes(fleet, tmp_path):
    """`srup mosquitto` configures it; `srup serve --no-broker` finds it again, and loses nothing that devices sent."""
    kitchen, ledger = FakeDevice(fleet), Ledger(fleet)
    sent = ledger.action(kitchen.device, 1)
    assert srup("mosquitto", tmp_path / "conf", "--fleet", fleet.directory).text.startswith("mosquitto -c ")
    assert f"user {kitchen.uuid}\n" in (tmp_path / "conf" / "acl").read_text()

    async def connected():
        raw = await Raw.open(fleet.broker.port, net.client_context(fleet))
        assert await raw.connect(kitchen.uuid, kitchen.password) == 0
        return raw

    async def subscribe():
        assert await (await connected()).subscribe(f"srup/{kitchen.uuid}/c2") == 1

    async def take():
        assert (await (await connected()).message())[1] == sent.frame

    async def answer():
        response = kitchen.response(sent.token, status.ACTION_SUCCESS)
        await (await connected()).publish(f"srup/{kitchen.uuid}/up", response)

    with mosquitto(fleet, tmp_path / "mosquitto"):
        asyncio.run(subscribe())
        with serving(fleet, "--no-broker"):
            asyncio.run(take())  # it is there, and listens
        asyncio.run(answer())  # and now it is not
        with serving(fleet, "--no-broker") as process:
            assert "ACTION_SUCCESS" in next(line for line in process.stdout if line.startswith("mqtt   "))
    assert ledger.transaction(kitchen.device, sent.token).status == status.ACTION_SUCCESS


def test_it_waits_for_a_broker_that_is_not_there_yet(fleet):
    with serving(fleet, "--no-broker") as process:
        assert "no MQTT broker for us" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_where_mosquitto_s_files_can_not_be_is_said_in_one_line(fleet, tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below", "/proc/srup"):
        assert f"can't make the directory {place}" in failed("mosquitto", place, "--fleet", fleet.directory)


def test_what_is_in_the_way_is_said_in_one_line(fleet, tmp_path):
    taken = net.listen("", fleet.broker.port)
    assert f"port {fleet.broker.port}" in failed("serve", "--fleet", fleet.directory)
    for one in taken:
        one.close()
    assert "no fleet in" in failed("serve", "--fleet", tmp_path)
    assert "leave --no-broker away" in failed(
        "serve", "--fleet", fleet.directory, "--no-broker", "--unencrypted-port", 1883
    )
    assert "TLS 1.1 is not spoken" in failed("serve", "--fleet", fleet.directory, "--newest-tls", "1.1")
    fleet.server_key.write_bytes(b"")
    assert "can't be used" in failed("serve", "--fleet", fleet.directory)


# A passphrase


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A fleet whose keys have a passphrase, which nobody has told yet."""
    monkeypatch.delenv("SRUP_PASSPHRASE", raising=False)
    monkeypatch.delenv("SRUP_PASSPHRASE_FILE", raising=False)
    fleet, mqtt, https = create_fleet(tmp_path / "fleet", passphrase=b"correct horse")
    for one in (*mqtt, *https):
        one.close()
    return fleet


def test_a_key_that_nobody_can_open_is_said_before_anything_is_served(locked, monkeypatch):
    """And not when something is to be signed, which may be at night."""
    assert "there is nobody to ask" in failed("serve", "--fleet", locked.directory)
    monkeypatch.setenv("SRUP_PASSPHRASE", "wrong donkey")
    assert "the passphrase does not open" in failed("serve", "--fleet", locked.directory)
    monkeypatch.setenv("SRUP_PASSPHRASE", "correct horse")
    with serving(locked) as process:
        assert asyncio.run(Site(locked, locked.https.port, []).get("/nothing"))[0] == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_key_that_is_not_here_is_said_before_anything_is_served(fleet):
    fleet.key_path("command").unlink()
    assert "the command key is not in" in failed("serve", "--fleet", fleet.directory)


@pytest.mark.parametrize("answered", [True, False])
def test_a_passphrase_is_asked_for_at_the_start_and_a_signal_ends_it_then_and_later(locked, answered):
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "srup_host.cli", "serve", "--fleet", str(locked.directory)]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    try:
        seen = _read_until(master, b"command.pem: ")
        assert b"is served" not in seen
        if answered:
            os.write(master, b"correct horse\n")
            _read_until(master, b"/invitation/")
            assert asyncio.run(Site(locked, locked.https.port, []).get("/nothing"))[0] == 404  # it runs
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == (0 if answered else -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _read_until(master, wanted):
    seen = b""
    while wanted not in seen:
        assert select.select([master], [], [], 60)[0], seen
        seen += os.read(master, 4096)
    return seen
