"""srup fleet and srup rollout against a server that runs, as a person and as a script use them."""

import asyncio
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from srup_host import init, net
from srup_host.simulate import cards
from srup_host.simulate.crowd import Crowd
from srup_host.simulate.ways import Ways
from tests.host.shell import failed
from tests.web.served import serving


def story(folder, number, how, told):
    """told(srup): srup(...) -> (exit code, stdout, stderr) of a command line for the fleet served."""

    async def run():
        async with serving(folder) as served, Crowd(served.fleet, cards.take(served.fleet, number), how):
            served.fleet_dir = served.fleet.directory

            async def srup(*arguments, **environment):
                command = [sys.executable, "-m", "srup_host.cli", *map(str, arguments)]
                process = await asyncio.create_subprocess_exec(
                    *command,
                    env=os.environ | {"SRUP_FLEET": str(served.fleet_dir)} | environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
                async with asyncio.timeout(60):
                    out, err = await process.communicate()
                return process.returncode, out.decode(), err.decode()

            await told(srup, served)

    asyncio.run(run())


def test_from_a_bundle_to_the_last_device(tmp_path):
    async def told(srup, served):
        served.release("2.0", tmp_path)  # for its file
        command = ("rollout", "create", tmp_path / "2.0.srup", "--waves", "2 100%", "--watch")
        code, out, err = await srup(*command)
        assert (code, out.splitlines()[0]) == (0, "roll-out 1 is done"), err
        assert out.splitlines()[1] == "simulated 2.0 to 6 devices: 6 confirmed"
        code, out, _ = await srup("fleet", "list", "--version", "2.0", "--json")
        found = json.loads(out)
        assert (code, found["total"], found["devices"][0]["runs"]["word"]) == (0, 6, "confirmed")
        code, out, err = await srup("fleet", "list")
        assert out.splitlines()[0].split()[:4] == ["sim-00000", "confirmed", "simulated", "2.0"] and "6 of 6" in err
        code, out, _ = await srup("fleet", "show", "sim-00001")
        assert out.startswith("sim-00001: confirmed simulated 2.0; its signed inventory says so")
        assert "<-  ACTIVATE_SUCCESS" in out
        assert "RESPONSE" not in out
        code, out, _ = await srup("rollout", "list", "--json")
        assert [one["state"] for one in json.loads(out)] == ["done"]
        code, out, _ = await srup("fleet", "zone", "sim-00001", "sim-00002", "--zone", "Asia/Tokyo")
        assert (code, out) == (0, "2 devices: Asia/Tokyo\n")
        assert '"Asia/Tokyo"' in (await srup("fleet", "show", "sim-00002"))[1]
        bundle = json.loads((await srup("rollout", "list", "--json"))[1])[0]["bundle"]
        code, out, _ = await srup("rollout", "create", bundle, "--window", "02:00-04:00", "--seal", "--whole", "--json")
        policy = json.loads(out)["policy"]
        assert (policy["zone"], policy["seal"], policy["deltas"]) == ("device", True, False)

    story(tmp_path, 6, Ways(latency_s=0.01), told)


def test_a_bad_release_ends_the_watch_with_another_exit_code(tmp_path):
    async def told(srup, served):
        digest = served.release("2.0", tmp_path).digest
        code, out, _ = await srup("rollout", "create", digest[:12], "--waves", "3 100%", "--watch", "--json")
        shown = json.loads(out)
        assert (code, shown["state"]) == (4, "aborted")
        assert shown["states"]["left out"] >= 5 and sum(shown["by_wave"][0].values()) == 3

    story(tmp_path, 8, Ways(bad=1, latency_s=0.01), told)


def test_pause_resume_and_abort(tmp_path):
    async def told(srup, served):
        served.release("2.0", tmp_path)
        night = ("--window", "00:00-00:01") if served.c2.now() // 60_000 % 1440 > 5 else ("--window", "12:00-12:01")
        code, out, _ = await srup("rollout", "create", tmp_path / "2.0.srup", *night)
        assert (code, out.splitlines()[0]) == (0, "roll-out 1 is running")
        assert (await srup("rollout", "pause", "1", "--why", "lunch"))[1].startswith("roll-out 1 is paused: lunch")
        assert (await srup("rollout", "watch", "1"))[0] == 5
        assert (await srup("rollout", "resume", "1"))[0] == 0
        code, out, _ = await srup("rollout", "abort", "1", "--why", "wrong bundle", "--json")
        assert (code, json.loads(out)["state"]) == (0, "aborted")
        code, out, err = await srup("rollout", "resume", "1")
        assert (code, out) == (2, "") and "there is nothing to resume" in err
        assert (await srup("rollout", "watch", "1"))[0] == 4

    story(tmp_path, 2, Ways(), told)


def test_what_the_server_refuses_is_said_in_one_line(tmp_path):
    async def told(srup, served):
        for arguments, words in (
            (("fleet", "show", "nobody"), "there is no device 'nobody'"),
            (("rollout", "watch", "9"), "there is no roll-out 9"),
            (("rollout", "create", "0" * 64), "there is no bundle"),
            (("rollout", "create", "0" * 64, "--waves", "all"), "no end of a wave"),
        ):
            code, out, err = await srup(*arguments)
            assert (code, out) == (2, "") and words in err and len(err.splitlines()) == 1, err
        code, _, err = await srup("fleet", "list", SRUP_TOKEN="srup_wrong")
        assert code == 2 and "API token is not valid" in err
        assert (served.fleet.directory / "api.token").stat().st_mode & 0o777 == 0o600

    story(tmp_path, 0, Ways(), told)


def test_a_command_line_whose_token_was_revoked_makes_another(tmp_path):
    async def told(srup, served):
        for number in ("1", "2"):
            assert (await srup("fleet", "list"))[0] == 0
            assert [str(one["id"]) for one in json.loads((await srup("account", "tokens", "--json"))[1])] == [number]
            assert (await srup("account", "revoke", number))[0] == 0
        (served.fleet.directory / "api.token").write_text("")
        assert (await srup("fleet", "list"))[0] == 0
        assert (served.fleet.directory / "api.token").stat().st_mode & 0o777 == 0o600
        revoked = (await srup("account", "token", "mine", "viewer"))[1].strip()
        await srup("account", "revoke", "4")
        code, _, err = await srup("fleet", "list", SRUP_TOKEN=revoked)
        assert code == 2 and "API token is not valid" in err
        elsewhere = f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"
        (served.fleet.directory / "api.token").unlink()
        for _ in range(2):
            code, _, err = await srup("fleet", "list", SRUP_DATABASE=elsewhere)
            assert code == 2 and "the server has another database" in err and len(err.splitlines()) == 1
        assert len(json.loads((await srup("account", "tokens", "--json", SRUP_DATABASE=elsewhere))[1])) == 1

    story(tmp_path, 0, Ways(), told)


def test_what_keeps_a_device_waiting_is_said(tmp_path):
    async def told(srup, served):
        served.release("2.0", tmp_path)
        key = served.fleet.key_path("command")
        key.rename(tmp_path / "away.pem")
        code, out, _ = await srup("rollout", "create", tmp_path / "2.0.srup")
        assert (code, out.splitlines()[0]) == (0, "roll-out 1 is running")
        async with asyncio.timeout(60):
            while "the command key is not in" not in (out := (await srup("rollout", "show", "1"))[1]):
                await asyncio.sleep(0.2)
        assert out.splitlines()[2].startswith("sim-0000") and out.splitlines()[1].endswith("2 pending")
        kept = json.loads((await srup("rollout", "show", "1", "--json"))[1])["kept_waiting"]
        assert {one["state"] for one in kept} == {"pending"} and "command key" in kept[0]["why"]
        watching = asyncio.create_task(srup("rollout", "watch", "1"))
        await asyncio.sleep(3)
        (tmp_path / "away.pem").rename(key)
        code, out, err = await watching
        assert (code, out.splitlines()[0]) == (0, "roll-out 1 is done") and "the command key is not in" in err
        assert "kept" not in (await srup("rollout", "show", "1"))[1]

    story(tmp_path, 2, Ways(latency_s=0.01), told)


def test_what_looks_like_a_file_is_not_taken_for_a_digest(tmp_path):
    async def told(srup, served):
        for name in ("missing.srup", "folder/missing", tmp_path):
            code, _, err = await srup("rollout", "create", name)
            assert code == 2 and err.startswith(f"error: no such file: {name}; "), err
        code, _, err = await srup("rollout", "create", served.fleet.directory / "srup.toml")
        assert code == 2 and err.startswith("error: this is no good bundle: "), err

    story(tmp_path, 0, Ways(), told)


def test_from_another_machine_it_takes_the_fleet_s_ca(tmp_path):
    """Where there is no fleet, but a token and a copy of its CA's certificate; or the fleet's directory, and a token of one's own."""

    async def told(srup, served):
        made = await srup("account", "token", "elsewhere", "viewer")
        there = {"SRUP_SERVER": f"https://localhost:{served.fleet.https.port}", "SRUP_TOKEN": made[1].strip()}
        code, _, err = await srup("order", "list", **there)
        assert (code, err) == (0, "")
        code, _, err = await srup("order", "list", "--fleet", served.fleet.directory, **there, SRUP_FLEET="")
        assert (code, err) == (0, "")
        alone = there | {"SRUP_FLEET": ""}
        code, _, err = await srup("order", "list", **alone)
        assert code == 2 and "can't prove who it is" in err and "SRUP_CA=FILE" in err and "srup serve" not in err
        assert (await srup("order", "list", **alone, SRUP_CA=str(served.fleet.ca)))[0] == 0
        other = init.create(tmp_path / "other", "other")
        code, _, err = await srup("order", "list", **there, SRUP_CA=str(other.ca))
        assert code == 2 and "can't prove who it is" in err
        for name in (tmp_path / "nothing", served.fleet.key_path("command")):
            code, _, err = await srup("order", "list", **alone, SRUP_CA=str(name))
            assert code == 2 and f"the CA certificate {name} can't be used" in err

    story(tmp_path, 0, Ways(), told)


@pytest.mark.parametrize(
    "where", ["localhost", "localhost:8443", "http://localhost:8443", "https://", "https://h:port"]
)
def test_what_is_no_address_of_a_server_is_said_to_be_none(where, monkeypatch):
    monkeypatch.setenv("SRUP_SERVER", where)
    monkeypatch.setenv("SRUP_TOKEN", "srup_x")
    said = failed("order", "list")
    assert "is no address of a server" in said and "srup serve" not in said


@pytest.mark.parametrize("token", ["ü", "two words", "line\n"])
def test_what_is_no_token_is_said_to_be_none(token, monkeypatch):
    monkeypatch.setenv("SRUP_SERVER", "https://localhost:1")
    monkeypatch.setenv("SRUP_TOKEN", token)
    assert "API token is none" in failed("order", "list")


def test_without_a_server_it_says_how_to_start_one(tmp_path):
    fleet = init.create(tmp_path / "fleet", "home", https_port=1)
    assert failed("fleet", "list", "--fleet", fleet.directory).endswith("start it: srup serve")


def test_the_fleet_s_own_token_is_for_its_own_server_alone(tmp_path, monkeypatch):
    """SRUP_SERVER and SRUP_CA are another fleet's, and SRUP_TOKEN has been forgotten."""
    fleet = init.create(tmp_path / "fleet", "home", https_port=1)
    monkeypatch.setenv("SRUP_CA", str(init.create(tmp_path / "other", "other").ca))
    for where in ("https://localhost:2", "https://localhost", "https://other.example:1"):
        monkeypatch.setenv("SRUP_SERVER", where)
        for at_hand in (("--fleet", fleet.directory), ()):
            assert failed("fleet", "list", *at_hand).endswith("there is no API token for it; give SRUP_TOKEN")
    assert not (fleet.directory / "api.token").exists()
    monkeypatch.setenv("SRUP_SERVER", "https://LOCALHOST:1/")
    assert failed("fleet", "list", "--fleet", fleet.directory).endswith("start it: srup serve")


@pytest.mark.parametrize("said", [b"<html>Welcome", b"{}", b"[]", b"null", b'{"devices": [{"name": 1}]}'])
def test_another_web_server_is_not_taken_for_one_of_srup_s(tmp_path, monkeypatch, said):
    """It has an answer to whatever it is asked."""

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_):
            pass

    fleet = init.create(tmp_path / "fleet", "home")
    with http.server.HTTPServer(("localhost", 0), Pages) as server:
        server.socket = net.server_context(fleet).wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("SRUP_SERVER", f"https://localhost:{server.server_port}")
        monkeypatch.setenv("SRUP_TOKEN", "srup_x")
        monkeypatch.setenv("SRUP_CA", str(fleet.ca))
        assert "is no server of srup's, or of another version; see SRUP_SERVER" in failed("fleet", "list")
