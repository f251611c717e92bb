"""A fleet with one device, and its ledger, at a time of the test's own."""

import pytest

from srup_host import init
from srup_host.ledger import Ledger
from tests.host.fake_device import FakeDevice
from tests.host.ledgers import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def fleet(tmp_path):
    return init.create(tmp_path / "fleet", "home")


@pytest.fixture
def kitchen(fleet):
    return FakeDevice(fleet)


@pytest.fixture
def ledger(fleet, clock):
    ledger = Ledger(fleet, clock)
    yield ledger
    ledger.close()
