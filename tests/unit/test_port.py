from srup import port
from srup.port._random import Random, StuckRandom
from tests.unit.check import raises


class Source:
    """A source of randomness that gives these samples."""

    def __init__(self, *samples):
        self.samples = list(samples)

    def __call__(self, size):
        return self.samples.pop(0)[:size]


FIRST, SECOND = bytes(range(64)), bytes(range(100, 164))


def test_ticks_wrap_round():
    now = port.ticks_ms()
    assert port.ticks_diff(port.ticks_add(now, 250), now) == 250
    assert port.ticks_diff(now, port.ticks_add(now, 250)) == -250
    last = port.ticks_add(0, -1)
    assert last > 0
    assert port.ticks_diff(0, last) == 1


def test_the_hosts_clock_is_true():
    assert port.clock_is_set()
    assert port.now_ms() > 1_700_000_000_000  # milliseconds, since 1970


def test_sha256():  # FIPS 180-2, appendix B.1
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert port.sha256(b"abc").digest().hex() == digest
    parts = port.sha256()
    parts.update(b"a")
    parts.update(b"bc")
    assert parts.digest().hex() == digest


def test_random_has_the_length_asked_for_and_does_not_repeat():
    assert [len(port.random(n)) for n in (0, 1, 31, 32, 33, 100)] == [0, 1, 31, 32, 33, 100]
    assert len({port.random(16) for _ in range(50)}) == 50


def test_random_takes_a_new_sample_for_every_32_bytes():
    source = Source(FIRST, SECOND)
    Random(source, port.sha256, b"")(33)
    assert source.samples == []


def test_random_mixes_samples_with_what_came_before_and_with_the_board():
    def second(first_sample, personal):
        random = Random(Source(first_sample, SECOND), port.sha256, personal)
        random(32)
        return random(32)

    outputs = {second(FIRST, b"a"), second(bytes(64 - n for n in range(64)), b"a"), second(FIRST, b"b"), SECOND[:32]}
    assert len(outputs) == 4
    assert second(FIRST, b"a") == second(FIRST, b"a")


def test_a_source_that_repeats_its_sample_is_stuck():
    random = Random(Source(FIRST, FIRST), port.sha256, b"")
    random(32)
    raises(StuckRandom, random, 32)


def test_a_source_of_few_values_is_stuck():
    for sample in (bytes(64), b"\xff" * 64, b"\x00\xff" * 32, bytes(range(15)) * 4 + bytes(4)):
        raises(StuckRandom, Random(Source(sample), port.sha256, b""), 1)


def test_a_source_that_gives_too_little_is_stuck():
    raises(StuckRandom, Random(Source(FIRST[:63]), port.sha256, b""), 1)


def test_network_faults_are_not_tls_faults():
    for number in (104, 110, 111, 113, -111):  # as sockets raise them; negative: once more from a TLS stream that broke
        assert not port.tls_error(OSError(number))
    assert not port.tls_error(OSError())
    assert not port.tls_error(OSError("a text"))
    assert port.tls_error(ValueError("\nThe certificate validity has expired\n"))
