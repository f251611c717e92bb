import pytest

from srup_host import init
from srup_host.server.roles import Role
from tests.web.crowd import Crowd
from tests.web.site import Site


@pytest.fixture
def site(tmp_path):
    site = Site(init.create(tmp_path / "fleet", "home"))
    yield site
    site.close()


@pytest.fixture
def crowd(site):
    return Crowd(site)


@pytest.fixture
def operator(site):
    return site.program(Role.OPERATOR)
