"""For all of the suite: no private key and no passphrase that is used in it is ever printed or logged."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.host import spilled


@pytest.fixture(scope="session", autouse=True)
def every_secret_is_known() -> Iterator[None]:
    with spilled.watching():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    report = yield
    found = spilled.found_in("".join(text for _, text in report.sections)) if report.when == "teardown" else []
    if found:
        report.outcome, report.longrepr = "failed", f"printed or logged a secret: {found}"
    return report
