import pytest

from srup_host import init
from tests.web.site import Site


@pytest.fixture
def site(tmp_path):
    site = Site(init.create(tmp_path / "fleet", "home"))
    yield site
    site.close()
