"""Steps 2 to 4 of the road: which frames become commands, and which are refused under which name."""

from srup import auth, clock, keys, limits, port, replay, status, tokens, trust, wire
from srup.errors import BadSignature, InvalidKey, Malformed, Refused, Repeated, Throttled, WrongTarget
from srup.store import Store
from tests.unit.bundles import flipped
from tests.unit.check import raises
from tests.unit.on_board_ticks import Ticks
from tests.unit.scratch import folder, read, write
from tests.unit.server import DEVICE, NOON, STRANGER, Key, token

COMMAND, RELEASE, AUTHORITY = Key("command"), Key("release"), Key("authority")
GROUP = bytes.fromhex("886313e13b8a53729b900c9aee199e5d")


class Board:
    """Steps 2 to 4 over a store in flash; `restart` forgets all that is not there."""

    def __init__(self, now=NOON):
        self.root = folder()
        store = Store(self.root + "/log")
        for role, key in ((keys.COMMAND, COMMAND), (keys.RELEASE, RELEASE), (keys.AUTHORITY, AUTHORITY)):
            trust.install(store, role, key.public, tokens.first_at(NOON - 86_400_000))
        self.now = now
        self.staged = self.under_way = None
        self.restart()

    def restart(self):
        self.store = Store(self.root + "/log")
        trusted = keys.Keys(self.store, self.root + "/key")
        self.auth = auth.Auth(trusted, DEVICE, lambda: (GROUP,))
        self.clock = clock.Clock(self.store, NOON - 86_400_000)
        self.replay = replay.Replay(self.store, trusted, self.clock, lambda: self.staged, lambda: self.under_way)

    def receive(self, frame):
        """bytes -> Command; the clock is `now`, or not set where that is None."""
        real = port.clock_is_set, port.now_ms
        port.clock_is_set, port.now_ms = (lambda: self.now is not None), (lambda: self.now or 0)
        try:
            return self.replay.admit(self.auth.authenticate(wire.decode(frame)))
        finally:
            port.clock_is_set, port.now_ms = real


def test_an_initiate_of_the_command_key_becomes_a_command_and_is_on_record():
    board = Board()
    frame = COMMAND.initiate(token())
    command = board.receive(frame)
    assert command.type == wire.INITIATE
    assert command.element("url") == b"https://localhost:8443/x.srup"
    board.restart()
    (entry,) = board.replay.received()
    kept = board.replay.command(entry)
    assert kept.frame == frame and kept.token == token() and kept.key_id == keys.key_id(COMMAND.public)


def test_what_has_not_passed_auth_is_no_input_for_replay():
    board = Board()
    raises(TypeError, board.replay.admit, wire.decode(COMMAND.initiate(token())))


def test_an_initiate_for_another_device_is_refused_before_any_signature_is_checked():
    board = Board()
    frame = bytearray(COMMAND.initiate(token(), target=STRANGER))
    raises(WrongTarget, board.receive, frame)
    frame[10] ^= 1  # a bad signature makes no difference
    raises(WrongTarget, board.receive, frame)


def test_unsigned_and_strangers_and_wrong_roles_are_refused():
    board = Board()
    good = COMMAND.initiate(token())
    unsigned = wire.seal(good[:2] + good[68:], b"")
    raises(Malformed, board.receive, unsigned)
    for stranger in (Key("stranger"), RELEASE, AUTHORITY):
        raises(BadSignature, board.receive, stranger.initiate(token()))
    keys_change = {"target": DEVICE, "token": token(), "name": b"keys", "value": b""}
    raises(BadSignature, board.receive, COMMAND.frame(wire.DATA, **keys_change))
    assert board.receive(AUTHORITY.frame(wire.DATA, **keys_change)).element("name") == b"keys"


def test_a_device_does_not_obey_frames_that_devices_send():
    board = Board()
    raises(Malformed, board.receive, COMMAND.frame(wire.RESPONSE, token=token(), status=0))
    raises(Malformed, board.receive, COMMAND.frame(wire.RESIGN_REQUEST, target=DEVICE, token=token()))


def test_the_high_s_twin_of_a_good_signature_is_refused():
    from srup import p256

    board = Board()
    frame = COMMAND.initiate(token())
    s = int.from_bytes(frame[36:68], "big")
    twin = frame[:36] + (p256.N - s).to_bytes(32, "big") + frame[68:]
    p256.verify(COMMAND.public, auth.signed_digest(wire.decode(twin)), twin[4:68])  # FIPS 186-5 has no objection
    raises(BadSignature, board.receive, twin)
    assert board.receive(frame)


def test_every_flipped_bit_of_a_signed_frame_is_refused_by_name():
    board = Board()
    frame = COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token())
    board.auth._throttle = lambda: None  # every one is to be verified
    for bit in range(0, len(frame) * 8, 3):  # a third here; all of them on CPython: tests/host
        bad = bytearray(frame)
        bad[bit >> 3] ^= 1 << (bit & 7)
        caught = raises((Malformed, WrongTarget, BadSignature), board.receive, bad)
        assert caught.reason in ("malformed", "target", "signature")
    assert not board.replay.received()
    assert board.receive(frame)


def test_a_frame_cut_short_at_any_byte_is_malformed():
    board = Board()
    frame = COMMAND.initiate(token())
    for cut in range(len(frame)):
        raises(Malformed, board.receive, frame[:cut])
    raises(Malformed, board.receive, frame + b"\0")


def test_ten_bad_signatures_are_verified_and_then_one_a_second():
    board = Board()
    bad = Key("stranger").frame(wire.ID_REQUEST, target=DEVICE, token=token())
    for _ in range(limits.BAD_SIGNATURES):
        raises(BadSignature, board.receive, bad)
    raises(Throttled, board.receive, bad)
    board.auth._bad_at = port.ticks_add(port.ticks_ms(), -limits.BAD_SIGNATURE_PAUSE)  # a second later
    assert board.receive(COMMAND.initiate(token()))
    raises(BadSignature, board.receive, bad)  # a good one ends the penalty


def test_ten_bad_signatures_do_not_deafen_a_device_a_week_later():
    with Ticks() as ticks:
        board = Board()
        bad = Key("stranger").frame(wire.ID_REQUEST, target=DEVICE, token=token())
        for _ in range(limits.BAD_SIGNATURES):
            raises(BadSignature, board.receive, bad)
        ticks.pass_ms(7 * 86_400_000)
        assert board.receive(COMMAND.initiate(token()))


def test_a_redelivered_frame_is_the_same_transaction_also_after_a_restart():
    board = Board()
    frame = COMMAND.initiate(token())
    board.receive(frame)
    assert raises(Repeated, board.receive, frame).token == token()
    board.restart()
    raises(Repeated, board.receive, frame)


def test_a_captured_frame_is_stale_once_a_newer_one_was_accepted():
    board = Board()
    old, new = COMMAND.initiate(token(NOON - 1)), COMMAND.initiate(token(NOON))
    board.receive(new)
    assert raises(Refused, board.receive, old).status == status.TOKEN_STALE
    other_url = COMMAND.initiate(token(NOON), url=b"https://localhost:8443/other")
    assert raises(Refused, board.receive, other_url).status == status.TOKEN_STALE


def test_highest_tokens_are_kept_for_each_key_and_target():
    board = Board()
    board.receive(COMMAND.initiate(token(NOON, 5)))
    board.receive(COMMAND.initiate(token(NOON, 4), target=GROUP))  # another target, another order
    assert raises(Refused, board.receive, COMMAND.initiate(token(NOON, 4))).status == status.TOKEN_STALE
    second = Key("command two")
    trust.install(board.store, keys.COMMAND, second.public, token(NOON, 7))
    late = second.initiate(token(NOON, 6))  # signed before its key was installed
    assert raises(Refused, board.receive, late).status == status.TOKEN_STALE
    board.receive(second.initiate(token(NOON, 8)))


def test_a_token_that_is_no_uuidv7_is_malformed():
    board = Board()
    raises(Malformed, board.receive, COMMAND.initiate(b"\xff" * 16))


def test_with_the_clock_set_old_tokens_expire_and_future_ones_are_ahead():
    board = Board(now=NOON + limits.FRESH)
    assert raises(Refused, board.receive, COMMAND.initiate(token(NOON - 1))).status == status.TOKEN_EXPIRED
    board.receive(COMMAND.initiate(token(NOON)))
    ahead = COMMAND.initiate(token(board.now + limits.AHEAD + 1))
    assert raises(Refused, board.receive, ahead).status == status.TOKEN_AHEAD
    board.receive(COMMAND.initiate(token(board.now + limits.AHEAD)))


def test_with_no_clock_a_token_may_be_400_days_ahead_of_all_that_is_known():
    board = Board(now=None)
    known = board.clock.floor()
    far = COMMAND.initiate(token(known + limits.AHEAD_UNSET + 1))
    assert raises(Refused, board.receive, far).status == status.TOKEN_AHEAD
    assert board.clock.floor() == known, "a refused frame changes nothing"
    board.receive(COMMAND.initiate(token(known + limits.AHEAD_UNSET)))
    assert board.clock.floor() == known + limits.FLOOR_STEP, "and an accepted one raises the floor by 30 days at most"


def test_where_tls_fails_a_clock_that_nobody_has_set_goes_to_its_other_date_and_back():
    board = Board(now=None)
    board.receive(COMMAND.initiate(token(NOON)))
    dates = []
    real = port.clock_is_set, port.set_clock
    port.clock_is_set, port.set_clock = (lambda: False), dates.append
    try:
        board.clock.start()
        assert [board.clock.other_date() for _ in range(3)] == [True] * 3
        port.clock_is_set = lambda: True
        assert not board.clock.other_date(), "true time is not doubted"
    finally:
        port.clock_is_set, port.set_clock = real
    assert dates == [NOON, NOON - 86_400_000, NOON, NOON - 86_400_000]


def test_activate_is_accepted_for_the_staged_transaction_and_key_alone():
    board = Board()
    board.receive(COMMAND.initiate(token()))
    activate = COMMAND.frame(wire.ACTIVATE, token=token())
    assert raises(Refused, board.receive, activate).status == status.TOKEN_STALE, "nothing is staged"
    board.staged = (token(), keys.key_id(COMMAND.public))
    other = COMMAND.frame(wire.ACTIVATE, token=token(NOON, 9))
    assert raises(Refused, board.receive, other).status == status.TOKEN_STALE
    second = Key("command two")
    trust.install(board.store, keys.COMMAND, second.public, tokens.ZERO)
    raises(Refused, board.receive, second.frame(wire.ACTIVATE, token=token()))
    board.receive(activate)
    raises(Repeated, board.receive, activate)


def test_activate_comes_too_late_after_seven_days():
    board = Board()
    board.staged = (token(), keys.key_id(COMMAND.public))
    board.now = NOON + limits.ACTIVATE_WITHIN + 1
    late = COMMAND.frame(wire.ACTIVATE, token=token())
    assert raises(Refused, board.receive, late).status == status.TOKEN_EXPIRED


def flip(board, copies, number, at=20):
    """A bit at this offset of record `number`, which has a file of its own, in the state log's first copies."""
    for name in ("/log", "/copy/log")[:copies]:
        path = f"{board.root}{name}.{number}"
        write(path, flipped(read(path), at * 8 + 5))


def test_a_flipped_bit_in_flash_does_not_reopen_the_past():
    board = Board()
    board.receive(COMMAND.initiate(token(NOON, 5)))
    for at in range(0, len(read(board.root + "/log.4")), 7):  # the fourth: after those that brought the keys
        flip(board, 1, 4, at)
        board.restart()
        assert raises(Refused, board.receive, COMMAND.initiate(token(NOON, 4))).status == status.TOKEN_STALE
        raises(Repeated, board.receive, COMMAND.initiate(token(NOON, 5)))
        assert board.replay.losses() == 0
        flip(board, 1, 4, at)


def test_memory_that_is_lost_in_both_copies_is_told_and_all_that_was_sent_until_then_is_refused():
    for now, too_late in ((NOON, NOON + limits.AHEAD), (None, NOON)):
        board = Board(now=now)
        lost = COMMAND.initiate(token(NOON, 5))
        board.receive(lost)
        flip(board, 2, 4)
        real = port.clock_is_set, port.now_ms
        port.clock_is_set, port.now_ms = (lambda now=now: now is not None), (lambda: NOON)
        board.restart()
        port.clock_is_set, port.now_ms = real
        if now:
            assert raises(Refused, board.receive, lost).status == status.TOKEN_STALE
        assert board.replay.losses() == 1
        board.receive(COMMAND.initiate(token(too_late, 1)))  # the server's next ones are obeyed
        board.restart()
        assert board.replay.losses() == 1


def test_with_no_clock_and_its_highest_token_lost_the_newest_frame_is_not_obeyed_again():
    """All that is left of it is the floor, which has its millisecond. Found by the fuzzer."""
    board = Board(now=None)
    frame = COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON, 5))
    board.receive(frame)
    board.store.put({entry: None for prefix in (b"T", b"X") for entry, _ in board.store.items(prefix)})
    board.store.damaged = True
    real = port.clock_is_set
    port.clock_is_set = lambda: False
    trusted = keys.Keys(board.store, board.root + "/key")
    board.replay = replay.Replay(board.store, trusted, board.clock, lambda: None, lambda: None)
    port.clock_is_set = real
    assert raises(Refused, board.receive, frame).status == status.TOKEN_STALE
    assert board.receive(COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON + 1, 1)))


def test_old_transactions_are_forgotten_and_can_still_not_be_replayed():
    board = Board()
    first = COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON, 0))
    frames = [first] + [COMMAND.initiate(token(NOON, nth)) for nth in range(1, 12)]
    for frame in frames:
        board.store.put(board.receive(frame).done())
    assert len(board.store.items(b"X")) <= limits.TRANSACTIONS
    assert raises(Refused, board.receive, first).status == status.TOKEN_STALE


def test_one_key_has_one_role_and_a_role_has_four_keys():
    store = Store(folder() + "/log")
    trust.install(store, keys.COMMAND, COMMAND.public, tokens.ZERO)
    raises(InvalidKey, trust.install, store, keys.RELEASE, COMMAND.public, tokens.ZERO)
    raises(InvalidKey, trust.install, store, keys.RELEASE, RELEASE.public, tokens.ZERO, [RELEASE.public])
    raises(InvalidKey, trust.install, store, keys.RELEASE, b"\x04" + bytes(64), tokens.ZERO)
    for nth in range(3):
        trust.install(store, keys.COMMAND, Key(f"more {nth}").public, tokens.ZERO)
    raises(InvalidKey, trust.install, store, keys.COMMAND, Key("too many").public, tokens.ZERO)


def test_a_device_makes_its_key_once_and_signs_with_it():
    from srup import p256

    path = folder() + "/device.key"
    public = keys.create_device_key(path, bytes(32))
    own = keys.Keys(Store(path + ".log"), path)
    p256.verify(public, bytes(32), own.sign(bytes(32)))
    assert own.public_key() == public
    raises(Refused, keys.create_device_key, path, bytes(32))
    assert own.public_key() == public
