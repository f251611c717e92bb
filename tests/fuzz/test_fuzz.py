"""Bytes that nobody thought of: a sample of `make fuzz`, the same in each run; and what earlier runs have kept, with no fuzzer."""

import re

import pytest

from tests.fuzz import campaign, targets

RUNS = 3000
by_name = pytest.mark.parametrize("target", targets.TARGETS, ids=lambda target: target.name)


@by_name
def test_what_reached_something_once_still_breaks_nothing(target: targets.Target) -> None:
    function, corpus = target.function(), target.corpus()
    assert len(corpus) >= 5
    for data in target.seeds() + corpus:
        function(data)


@pytest.mark.skipif(not campaign.installed(), reason="NOTHING IS FUZZED: atheris can't be installed here")
@by_name
def test_what_the_fuzzer_makes_of_it_breaks_nothing_either(target: targets.Target) -> None:
    result = campaign.run(target, 0, RUNS, seed=7)
    assert not result.crashes, result.said[-4000:]
    assert result.executions >= RUNS and result.edges > 20


@pytest.mark.skipif(not campaign.installed(), reason="NOTHING IS FUZZED: atheris can't be installed here")
def test_the_memory_of_a_process_that_has_the_fuzzer_run_is_not_counted_as_the_fuzzers() -> None:
    """The tests' own grew past the bound, and nothing was fuzzed for that."""
    large = bytearray(b"x") * (200 << 20)
    said = campaign.run(targets.named("wire"), 0, 100, seed=7).said
    assert large and int(re.findall(r"^stat::peak_rss_mb:\s+(\d+)", said, re.MULTILINE)[0]) < 200


def test_a_target_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that takes trailing bytes is found by the corpus alone."""
    from srup import wire
    from srup.wire import Unverified

    def lenient(frame: bytes) -> Unverified:
        signature, at = wire._take(frame, 2, "signature")
        elements = {}
        for name in wire.TYPES[frame[1]][1]:
            elements[name], at = wire._take(frame, at, name)
        return Unverified(frame, frame[1], signature, elements)

    monkeypatch.setattr(wire, "decode", lenient)
    target = targets.named("wire")
    with pytest.raises(AssertionError, match="one frame, one encoding"):
        for data in target.seeds():
            target.function()(data + b"\0")
