"""Leaving a fleet, and coming back by a person's hand: nobody is obeyed in between, and nothing of the past afterwards."""

from hashlib import sha256

from srup import joining, keys, limits, status, tokens, trust, wire
from srup.second import signed
from srup.store import Store
from tests.unit.board import COMMAND, Still
from tests.unit.on_board_ticks import Ticks
from tests.unit.server import DEVICE, NOON, Key, token

AUTHORITY, STRANGER = Key("authority"), Key("stranger")
GROUP = bytes.fromhex("886313e13b8a53729b900c9aee199e5d")


def governed():
    board = Still()
    trust.install(
        Store(board.root + "/state.log"), keys.AUTHORITY, AUTHORITY.public, tokens.first_at(NOON - 86_400_000)
    )
    return board


def ask(nth):
    return COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON, nth))


def deregister(board, nth, by=AUTHORITY, nonce=None):
    from srup import p256

    nonce = nonce or board.road.session.nonce()
    digest = sha256(signed(wire.DEREGISTER_COMMAND, DEVICE, token(NOON, nth), 0, b"", nonce)).digest()
    proof = nonce + p256.sign(by.private, digest)
    return COMMAND.frame(wire.DEREGISTER_COMMAND, target=DEVICE, token=token(NOON, nth), second_signature=proof)


def let_in(nth, key=COMMAND, settings=b"", target=DEVICE):
    return key.frame(wire.JOIN_COMMAND, target=target, token=token(NOON, nth), settings=settings)


def heard(board, frame=None):
    """What it sends, after `frame`."""
    before = len(board.air.sent)
    board.receive(*([frame] if frame else []))
    return board.air.sent[before:]


def obeyed(board, frame):
    return any(sent.type == wire.DATA for sent in heard(board, frame))


def leave(board):
    assert obeyed(board, ask(1))
    assert board.receive(deregister(board, 2))[-1] == (token(NOON, 2), status.DEREGISTER_SUCCESS)


def test_two_keys_end_a_membership_and_one_does_not():
    with governed() as board:
        obeyed(board, ask(1))
        before = board.road.session.nonce()
        for nth, frame in enumerate(
            (
                deregister(board, 10, by=COMMAND),
                deregister(board, 11, nonce=bytes(16)),
                COMMAND.frame(wire.DEREGISTER_COMMAND, target=DEVICE, token=token(NOON, 12), second_signature=b""),
            )
        ):
            assert board.receive(frame) == [(token(NOON, 10 + nth), status.DEREGISTER_FAIL)]
        withheld = deregister(board, 13)
        board.restart()
        assert board.receive(withheld) == [(token(NOON, 13), status.DEREGISTER_FAIL)]
        assert obeyed(board, ask(20)) and board.road.session.nonce() != before


def test_a_device_that_has_left_obeys_nobody_also_after_a_restart():
    with governed() as board:
        leave(board)
        for nth in range(2):
            assert not obeyed(board, ask(10 + nth)) and board.receive(let_in(20 + nth)) == []
            keys_frame = AUTHORITY.frame(
                wire.DATA, target=DEVICE, token=token(NOON, 30 + nth), name=b"keys", value=b"\x01\x01" + STRANGER.public
            )
            assert board.receive(keys_frame) == []
            assert board.road.session.refused == {"outside": 3}
            board.restart()


def test_a_return_takes_a_person_s_hand_and_a_key_that_the_device_holds():
    with governed() as board:
        leave(board)
        board.agent.join()
        (request,) = heard(board)
        assert request.type == wire.JOIN_REQUEST and request.elements["public_key"] == Key("device").public
        assert board.receive(let_in(50, key=STRANGER)) == [] and board.receive(let_in(51, target=GROUP)) == []
        assert not obeyed(board, ask(52))
        assert board.receive(let_in(53, settings=b"{}")) == [(token(NOON, 53), status.JOIN_REFUSED)]
        assert board.receive(let_in(54)) == [(token(NOON, 54), status.JOIN_SUCCESS)]
        assert obeyed(board, ask(55))


def test_nothing_from_before_is_good_after_a_return():
    with governed() as board:
        captured = [ask(nth) for nth in range(60, 64)]
        assert obeyed(board, captured[0]) and obeyed(board, captured[2])
        leaving = deregister(board, 65)
        board.receive(leaving)
        board.agent.join()
        heard(board)
        joined = let_in(70)
        board.receive(joined)
        for nth in range(71, 84):  # until their records are forgotten
            assert obeyed(board, ask(nth))
        for frame in captured + [leaving]:
            assert not obeyed(board, frame)
        assert board.receive(joined)[-1:] in ([], [(token(NOON, 70), status.TOKEN_STALE)])
        assert obeyed(board, ask(90))


def test_who_is_a_member_is_not_let_in_and_nothing_that_is_asked_for_by_radio_makes_one_join():
    with governed() as board:
        assert board.receive(let_in(1)) == [(token(NOON, 1), status.JOIN_REFUSED)]
        assert obeyed(board, ask(2))


def test_a_join_survives_a_power_cut_and_is_asked_for_again():
    with governed() as board:
        leave(board)
        board.agent.join(b"v" * 16)
        first = heard(board)
        assert [one.type for one in first] == [wire.JOIN_REQUEST, wire.DATA]
        told = first[1].elements
        message = b"SRUP-voucher" + DEVICE + told["token"] + Key("device").public
        assert (told["name"], told["value"]) == (b"voucher", joining.hmac(b"v" * 16, message))
        board.restart()
        again = heard(board)
        assert [one.type for one in again] == [wire.JOIN_REQUEST, wire.DATA]
        assert again[0].elements["token"] > told["token"]
        board.receive(let_in(5))
        assert board.road.store.get(b"V") is None and board.road.store.get(keys.MEMBERSHIP) is None


def test_it_does_not_ask_for_every_frame_that_comes():
    with governed() as board, Ticks() as ticks:
        leave(board)
        board.agent.join()
        assert len(heard(board)) == 1
        assert all(not heard(board, ask(10 + nth)) for nth in range(3))
        ticks.pass_ms(limits.ASK_AGAIN + 1)
        assert [one.type for one in heard(board, ask(20))] == [wire.JOIN_REQUEST]


def test_a_device_that_resigns_says_so_and_obeys_nobody():
    with governed() as board:
        obeyed(board, ask(1))
        board.agent.resign()
        (said,) = heard(board)
        assert said.type == wire.RESIGN_REQUEST and said.elements["target"] == DEVICE
        assert not obeyed(board, ask(2)) and board.road.store.get(keys.MEMBERSHIP) == keys.LEFT
        board.agent.join()
        assert [one.type for one in heard(board)] == [wire.JOIN_REQUEST]


def test_a_resignation_that_a_cut_kept_back_is_said_later():
    with governed() as board:
        obeyed(board, ask(1))
        board.air.up = False
        board.agent.resign()
        assert heard(board) == []
        board.restart()
        assert wire.RESIGN_REQUEST in [one.type for one in heard(board)] and not obeyed(board, ask(2))


def test_what_was_staged_is_gone_with_the_membership():
    with governed() as board:
        obeyed(board, ask(1))
        staged = bytes((2,)) + token(NOON, 1) + keys.key_id(COMMAND.public) + b"\0"
        board.road.store.put({b"U": staged})
        board.restart()
        obeyed(board, ask(2))
        board.receive(deregister(board, 3))
        assert board.road.store.get(b"U") is None and board.road.state() == 0


def test_hmac_of_rfc_4231():
    """Test cases 1 and 2."""
    given = ((b"\x0b" * 20, b"Hi There"), (b"Jefe", b"what do ya want for nothing?"))
    for (key, data), expected in zip(given, ("b0344c61d8db3853", "5bdcc146bf60754e")):
        assert joining.hmac(key, data)[:8] == bytes.fromhex(expected)
