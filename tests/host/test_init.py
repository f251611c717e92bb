"""srup init, and the fleet that it makes."""

import contextlib
import datetime
import ipaddress
import json
import os
import socket
import ssl
import stat
import threading
import uuid

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from srup_host import ca, init, keyfiles, signing
from srup_host.console import Failure
from srup_host.fleet import ROLES, Fleet
from tests.host.shell import failed, srup


@pytest.fixture
def fleet(tmp_path):
    return init.create(tmp_path / "fleet", "garden", ["c2.example", "192.0.2.7"])


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def certificate(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_the_command_makes_a_fleet_and_says_what_comes_next(tmp_path):
    said = srup("init", tmp_path / "garden", "--host", "c2.example", "--https-port", "9443").text
    fleet = Fleet.open(tmp_path / "garden")
    assert (fleet.name, fleet.broker.host, fleet.broker.port, fleet.broker.tls) == ("garden", "c2.example", 8883, True)
    assert (fleet.https.host, fleet.https.port, fleet.allow) == ("c2.example", 9443, ["c2.example:9443"])
    for needed in ("keys/release.pem", "SRUP_FLEET", "srup bundle build", "srup send"):
        assert needed in said


def test_plain_mqtt(tmp_path):
    srup("init", tmp_path / "garden", "--plain-mqtt")
    broker = Fleet.open(tmp_path / "garden").broker
    assert (broker.host, broker.port, broker.tls) == ("localhost", 1883, False)


def test_private_keys_are_p256_in_pkcs8_and_for_their_owner_alone(fleet):
    private = [fleet.directory / "keys" / f"{role}.pem" for role in ROLES]
    private += [fleet.directory / "tls" / "ca.key", fleet.directory / "tls" / "server.key"]
    for path in private:
        assert mode(path) == 0o600, path
        assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n"), path
        key = load_pem_private_key(path.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
    assert len({path.read_bytes() for path in private}) == 5
    for folder in (".", "keys", "tls", "devices"):
        assert mode(fleet.directory / folder) == 0o700


def test_private_keys_are_never_readable_by_others_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        fleet = init.create(tmp_path / "fleet", "garden")
    finally:
        os.umask(before)
    assert mode(fleet.directory / "keys" / "authority.pem") == 0o600


def test_public_keys_are_those_of_the_private_ones(fleet):
    for role in ROLES:
        public = load_pem_public_key((fleet.directory / "keys" / f"{role}.pub.pem").read_bytes())
        assert isinstance(public, ec.EllipticCurvePublicKey)
        assert fleet.public_key(role) == signing.public_bytes(public) == signing.public_bytes(fleet.private_key(role))
    (fleet.directory / "keys" / "release.pem").unlink()  # it lives offline
    assert len(fleet.public_key("release")) == 65


def test_a_passphrase_protects_all_but_the_servers_key(tmp_path, monkeypatch):
    monkeypatch.setenv("SRUP_PASSPHRASE", "correct horse")
    srup("init", tmp_path / "garden", "--passphrase")
    fleet = Fleet.open(tmp_path / "garden")
    for path in ("keys/command.pem", "keys/release.pem", "keys/authority.pem", "tls/ca.key"):
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in (fleet.directory / path).read_bytes()
        load_pem_private_key((fleet.directory / path).read_bytes(), b"correct horse")
    load_pem_private_key(fleet.server_key.read_bytes(), None)
    assert signing.public_bytes(fleet.private_key("command")) == fleet.public_key("command")


def test_where_a_passphrase_comes_from(tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    fleet = init.create(tmp_path / "fleet", "garden", passphrase=b"correct horse")
    monkeypatch.delenv("SRUP_PASSPHRASE", raising=False)
    monkeypatch.setenv("SRUP_PASSPHRASE_FILE", str(secret))
    fleet.private_key("command")
    monkeypatch.setenv("SRUP_PASSPHRASE", "wrong")
    with pytest.raises(Failure, match="does not open"):
        fleet.private_key("command")
    monkeypatch.delenv("SRUP_PASSPHRASE")
    monkeypatch.delenv("SRUP_PASSPHRASE_FILE")
    with pytest.raises(Failure, match="nobody to ask.*SRUP_PASSPHRASE"):
        fleet.private_key("command")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "correct horse")
    fleet.private_key("command")


def test_a_new_passphrase_is_typed_twice(monkeypatch):
    monkeypatch.delenv("SRUP_PASSPHRASE", raising=False)
    monkeypatch.delenv("SRUP_PASSPHRASE_FILE", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for typed, good in ((["one", "one"], True), (["one", "two"], False), (["", ""], False)):
        monkeypatch.setattr("getpass.getpass", lambda prompt, typed=typed: typed.pop(0))
        if good:
            assert keyfiles.ask_passphrase("New", twice=True) == b"one"
        else:
            with pytest.raises(Failure):
                keyfiles.ask_passphrase("New", twice=True)


def test_the_ca_signs_certificates_and_nothing_else(fleet):
    authority = certificate(fleet.ca)
    assert authority.subject == authority.issuer
    assert authority.not_valid_after_utc > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=19 * 365)
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca and constraints.value.path_length == 0
    usage = authority.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign and not usage.value.digital_signature
    authority.verify_directly_issued_by(authority)
    assert x509.load_der_x509_certificate(fleet.ca_der()) == authority


def test_the_server_certificate(fleet):
    server, authority = certificate(fleet.server), certificate(fleet.ca)
    server.verify_directly_issued_by(authority)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["c2.example", "localhost"]
    addresses = [ipaddress.ip_address("192.0.2.7"), ipaddress.ip_address("127.0.0.1")]
    assert names.get_values_for_type(x509.IPAddress) == addresses
    assert list(server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    life = server.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert 729 <= life.days <= 731
    assert server.not_valid_before_utc == authority.not_valid_before_utc


def test_another_ca_did_not_sign_it(fleet, tmp_path):
    other = init.create(tmp_path / "other", "garden")
    with pytest.raises(InvalidSignature):
        certificate(fleet.server).verify_directly_issued_by(certificate(other.ca))


@pytest.mark.parametrize(
    "name, good", [("c2.example", True), ("localhost", True), ("192.0.2.7", True), ("x.example", False)]
)
def test_openssl_takes_the_chain_for_these_hosts_and_no_others(fleet, name, good):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(fleet.server, fleet.server_key)
    server.maximum_version = ssl.TLSVersion.TLSv1_2  # as boards have it
    client = ssl.create_default_context(cafile=fleet.ca)
    near, far = socket.socketpair()

    def serve():
        with far, contextlib.suppress(OSError):  # the client does not like it
            server.wrap_socket(far, server_side=True).close()

    thread = threading.Thread(target=serve)
    thread.start()
    with near:
        if good:
            client.wrap_socket(near, server_hostname=name).close()
        else:
            with pytest.raises(ssl.SSLCertVerificationError, match="match"):
                client.wrap_socket(near, server_hostname=name)
    thread.join()


def test_hosts_are_cleaned_up():
    names = ca.subject_names(["C2.Example.", "c2.example", "2001:DB8::1", "2001:db8:0::1", "a-b.c"])
    assert names == [
        x509.DNSName("c2.example"),
        x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
        x509.DNSName("a-b.c"),
    ]


@pytest.mark.parametrize(
    "host", ["https://c2.example", "c2.example:8443", "", "*.example", "a..b", "-a.b", "a b", "1.2.3", "a" * 64]
)
def test_what_is_no_host_is_refused_before_anything_is_made(tmp_path, host):
    assert "host name" in failed("init", tmp_path / "garden", "--host", host)
    assert not (tmp_path / "garden").exists()


def test_a_fleet_is_never_overwritten(fleet):
    before = {path: path.read_bytes() for path in fleet.directory.rglob("*") if path.is_file()}
    assert "already" in failed("init", fleet.directory)
    (fleet.directory / "srup.toml").unlink()  # not even a damaged one
    assert "already" in failed("init", fleet.directory)
    for path, content in before.items():
        assert path.name == "srup.toml" or path.read_bytes() == content


def test_it_can_be_made_in_a_directory_that_is_there(tmp_path):
    (tmp_path / "README").write_text("mine")
    srup("init", tmp_path, "--name", "garden")
    assert Fleet.open(tmp_path).name == "garden"
    assert (tmp_path / "README").read_text() == "mine"


@pytest.mark.parametrize(
    "arguments", [("--name", "a b"), ("--name", "x" * 33), ("--https-port", "0"), ("--broker-port", "65536")]
)
def test_bad_options(tmp_path, arguments):
    failed("init", tmp_path / "garden", *arguments)
    assert not (tmp_path / "garden").exists()


# The settings


@pytest.mark.parametrize(
    "find, replace, says",
    [
        ("[broker]", "[brokr]", "[broker]"),
        ("port = 8883", 'port = "8883"', "port in [broker] must be a whole number"),
        ("port = 8883", "port = true", "port in [broker] must be a whole number"),
        ("port = 8883", "port = 88830", "port in [broker]"),
        ("tls = true", "tls = 1", "tls in [broker] must be true or false"),
        ("tls = true", "tls = true\nttl = 1", "ttl"),
        ('board = "UNIX"', "", "board in [devices]"),
        ("allow = [", "allow = [1, ", "allow in [devices]"),
        ('namespace = "', 'namespace = "x', "namespace"),
        ("[tls]", "[tls", "line"),
        ("[tls]", "[other]\n[tls]", "other"),
        ("[policy]", '[policy]\nREBOOT = "maybe"', "the policy for REBOOT is one of"),
        ("[policy]", '[policy]\nREBOTT = "refuse"', "there is no action REBOTT"),
        ("[policy]", "[[policy]]", "[policy]"),
    ],
)
def test_what_is_wrong_in_the_settings_is_named(fleet, find, replace, says):
    path = fleet.directory / "srup.toml"
    text = path.read_text()
    assert find in text
    path.write_text(text.replace(find, replace, 1))
    message = failed("bundle", "build", ".", "--version", "1", "-o", "x", "--fleet", fleet.directory)
    assert str(path) in message and says in message


def test_how_a_fleet_is_found(fleet, tmp_path, monkeypatch):
    monkeypatch.delenv("SRUP_FLEET", raising=False)
    monkeypatch.chdir(tmp_path)
    command = ("sign", "activate", "--token", bytes(16).hex())
    message = failed(*command)
    assert f"no fleet in {tmp_path}" in message and "srup init" in message
    srup(*command, "--fleet", fleet.directory)
    monkeypatch.setenv("SRUP_FLEET", str(fleet.directory))
    srup(*command)
    monkeypatch.delenv("SRUP_FLEET")
    monkeypatch.chdir(fleet.directory)
    srup(*command)


def test_a_key_can_be_kept_elsewhere(fleet, tmp_path):
    (fleet.directory / "keys" / "release.pem").rename(tmp_path / "stick.pem")
    with pytest.raises(Failure, match="release.pem: No such file"):
        fleet.private_key("release")
    path = fleet.directory / "srup.toml"
    path.write_text(path.read_text().replace('"keys/release.pem"', json.dumps(str(tmp_path / "stick.pem"))))
    moved = Fleet.open(fleet.directory)
    assert signing.public_bytes(moved.private_key("release")) == moved.public_key("release")


def test_a_key_file_with_something_else_in_it(fleet):
    path = fleet.directory / "keys" / "command.pem"
    path.write_text("not a key")
    with pytest.raises(Failure, match="holds no private key"):
        fleet.private_key("command")
    path.write_bytes(keyfiles.private_pem(ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(Failure, match="another kind"):
        fleet.private_key("command")


# The devices

KEY = signing.public_bytes(keyfiles.generate())


def test_devices(fleet):
    kitchen = fleet.add_device("kitchen", "UNIX", KEY)
    attic = fleet.add_device("attic", "RPI_PICO_W", KEY, uuid.UUID(int=5, version=4), provisioned=7)
    assert Fleet.open(fleet.directory).devices() == [attic, kitchen]
    assert fleet.device("kitchen") == fleet.device(kitchen.uuid.upper()) == kitchen
    assert json.loads((fleet.directory / "devices" / f"{attic.uuid}.json").read_text()) == {
        "uuid": "00000000-0000-4000-8000-000000000005",
        "name": "attic",
        "board": "RPI_PICO_W",
        "public_key": KEY.hex(),
        "provisioned": 7,
        "sealing_key": "",
    }
    assert (attic.target, attic.key) == (uuid.UUID(attic.uuid).bytes, KEY)
    assert uuid.UUID(kitchen.uuid).version == 4
    with pytest.raises(Failure, match="no device 'cellar'"):
        fleet.device("cellar")


def test_a_device_is_enrolled_once(fleet):
    kitchen = fleet.add_device("kitchen", "UNIX", KEY)
    with pytest.raises(Failure, match="another name"):
        fleet.add_device("kitchen", "UNIX", KEY)
    with pytest.raises(Failure, match="exists already"):
        fleet.add_device("attic", "UNIX", KEY, uuid.UUID(kitchen.uuid))
    assert fleet.devices() == [kitchen]


def test_what_is_no_device_is_refused(fleet):
    with pytest.raises(Failure, match="no device name"):
        fleet.add_device("../attic", "UNIX", KEY)
    with pytest.raises(Failure, match="public key"):
        fleet.add_device("attic", "UNIX", KEY[:-1] + bytes((KEY[-1] ^ 1,)))


@pytest.mark.parametrize(
    "change", [{"uuid": "x"}, {"public_key": "00"}, {"extra": 1}, {"name": 1}, {"uuid": str(uuid.uuid4())}]
)
def test_a_damaged_device_is_named(fleet, change):
    device = fleet.add_device("kitchen", "UNIX", KEY)
    path = fleet.directory / "devices" / f"{device.uuid}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(Failure) as caught:
        fleet.devices()
    assert str(path) in str(caught.value)


def test_groups_are_name_based_in_the_fleets_namespace(fleet, tmp_path):
    assert fleet.group("upstairs") == uuid.uuid5(fleet.namespace, "upstairs")
    assert fleet.group("upstairs").version == 5
    assert init.create(tmp_path / "other", "garden").group("upstairs") != fleet.group("upstairs")


def test_a_certificate_that_is_soon_over_is_told_half_a_year_before(tmp_path):
    fleet = init.create(tmp_path / "fleet", "home")
    both, now = [fleet.ca, fleet.server], datetime.datetime.now(datetime.UTC)
    assert ca.expiring(both) == []
    late = now + 2 * ca.YEAR - datetime.timedelta(days=179)
    assert [line.split()[0] for line in ca.expiring(both, late)] == [str(fleet.server)]
    assert "is not valid any more" in ca.expiring(both, now + 3 * ca.YEAR)[0]
    assert [line.split()[0] for line in ca.expiring([fleet.ca], now + 19.6 * ca.YEAR)] == [str(fleet.ca)]
