"""Each defence of the device taken out, as a patch: (file, old text, new text), and the stories that must then fail.

There is no switch for any of this in the code that ships. A story sees bytes in and state out, on a real MicroPython, so it does
not matter to it how a defence is written, only whether it is there. `ALIVE` passes with each of these patches: what then fails
fails for want of the defence, and not because nothing works.
"""

from dataclasses import dataclass

ALIVE = "tests/flow/test_loop.py::test_the_whole_loop[amqtt-plain]"

_FRAMES = "tests/attacks/test_frames.py::"
_SERVER = "tests/attacks/test_hostile_server.py::"
_LOOP = "tests/flow/test_loop.py::"
_TRUST = "tests/unit/test_trust.py::"


@dataclass(frozen=True)
class Defence:
    """name: as the threat model has it · changes: that take it out · stories: pytest's names of tests that fail without it"""

    name: str
    changes: tuple[tuple[str, str, str], ...]
    stories: tuple[str, ...]


def without(name: str, file: str, old: str, new: str, *stories: str) -> Defence:
    return Defence(name, ((file, old, new),), stories)


AUTH, REPLAY, DOWNLOAD = "firmware/srup/auth.py", "firmware/srup/replay.py", "firmware/srup/download.py"

DEFENCES = (
    without(
        "signature of a frame",
        AUTH,
        "    p256.verify(public_key, digest, signature, table)\n",
        "    pass\n",
        _FRAMES + "test_a_staged_update_is_not_overwritten_by_a_forged_initiate",
        _LOOP + "test_frames_that_nobody_may_answer",
    ),
    without(
        "role of a key",
        AUTH,
        "self._keys.of(role), signed_digest",
        "[key for every in roles.ROLES for key in self._keys.of(every)], signed_digest",
        _LOOP + "test_frames_that_nobody_may_answer",
    ),
    without(
        "low-S",
        AUTH,
        "if len(signature) != 64 or not p256.is_low_s(signature):",
        "if len(signature) != 64:",
        _TRUST + "test_the_high_s_twin_of_a_good_signature_is_refused",
    ),
    without(
        "target",
        AUTH,
        "if target != self._device and target not in self._groups():",
        "if False:",
        _FRAMES + "test_the_command_of_another_board",
    ),
    without(
        "limit on bad signatures",
        AUTH,
        "if self._bad >= BAD_SIGNATURES and",
        "if False and",
        _TRUST + "test_ten_bad_signatures_are_verified_and_then_one_a_second",
    ),
    without(
        "order of tokens",
        REPLAY,
        "if token <= highest:",
        "if False:",
        _FRAMES + "test_a_command_held_back_and_delivered_after_a_newer_one",
    ),
    without(
        "memory of frames",
        REPLAY,
        'if self._store.get(b"X" + authenticated.digest):',
        "if False:",
        _LOOP + "test_a_replayed_initiate_changes_nothing_and_is_answered_again",
    ),
    without(
        "tokens of the future",
        "firmware/srup/clock.py",
        "elif then > port.now_ms() + limits.AHEAD:",
        "elif False:",
        _FRAMES + "test_a_token_of_tomorrow_by_the_right_key_locks_nobody_out",
    ),
    without(
        "freshness window",
        "firmware/srup/clock.py",
        "elif then < port.now_ms() - limits.FRESH:",
        "elif False:",
        _TRUST + "test_with_the_clock_set_old_tokens_expire_and_future_ones_are_ahead",
    ),
    without(
        "ACTIVATE's transaction",
        REPLAY,
        "if staged is None or staged != (token, authenticated.key_id):",
        "if staged is None:",
        _LOOP + "test_activate_is_for_the_staged_transaction_once_and_by_its_key",
    ),
    without(
        "frame's exact length",
        "firmware/srup/wire.py",
        "    if at != len(frame):\n",
        "    if False:\n",
        _FRAMES + "test_bytes_after_the_frame_and_lengths_that_reach_beyond_it",
    ),
    without(
        "digest of the file",
        DOWNLOAD,
        "if self._hash.digest() != self._digest:\n            self.discard()\n            raise UpdateFailed(status.UPDATE_FAIL_DIGEST",
        "if False:\n            self.discard()\n            raise UpdateFailed(status.UPDATE_FAIL_DIGEST",
        _FRAMES + "test_a_file_with_another_digest_is_not_there_to_be_activated",
    ),
    without(
        "release signature",
        AUTH,
        "    signer(keys.of(roles.RELEASE), port.sha256(signed).digest(), signature)\n",
        "    pass\n",
        _FRAMES + "test_what_two_keys_must_have_signed_and_one_did",
    ),
    without(
        "security counter",
        "firmware/srup/meant.py",
        'if manifest["counter"] < counter:',
        "if False:",
        _LOOP + "test_bundles_that_are_not_for_this_board",
    ),
    without(
        "allow-list of hosts",
        DOWNLOAD,
        ' or "%s:%s" % (host, number) not in allowed:',
        ":",
        _LOOP + "test_a_url_that_is_not_on_the_list",
    ),
    without(
        "room for a download",
        "firmware/srup/incoming.py",
        "if total > self.room:",
        "if False:",
        "tests/flow/test_download.py::test_answers_that_are_not_the_file",
    ),
    without(
        "limits on every part of an answer",
        "firmware/srup/http.py",
        "            if len(out) > limits.HTTP_LINE:\n",
        "            if False:\n",
        _SERVER + "test_endless",
    ),
    without(
        "no chunks",
        DOWNLOAD,
        'if code not in (200, 206) or "transfer-encoding" in headers or',
        "if code not in (200, 206) or",
        _SERVER + "test_chunks_are_not_taken",
    ),
    without(
        "begun again only so often",
        DOWNLOAD,
        "if self._restarts > self._attempts:",
        "if self._restarts > 50:",
        "tests/flow/test_download.py::test_a_server_that_has_it_begin_again_and_again_is_given_up",
    ),
    without(
        "size of a message",
        "firmware/srup/transport.py",
        "if size - payload > limits.FRAME:",
        "if False:",
        "tests/unit/test_transport.py::test_a_message_longer_than_any_frame_is_dropped_a_piece_at_a_time",
    ),
    without(
        "TLS certificates",
        "firmware/srup/port/_common.py",
        "    for der in authorities:\n",
        "    context.verify_mode = tls.CERT_NONE\n    for der in authorities:\n",
        "tests/flow/test_download.py::test_a_certificate_of_another_authority_is_fail_server",
        _LOOP + "test_a_certificate_that_is_not_good",
    ),
    without(
        "confirm's transaction",
        "firmware/srup/updater.py",
        "return token == self.token and self._on_trial and",
        "return self._on_trial and",
        _LOOP + "test_a_confirm_for_something_else_confirms_nothing",
    ),
    without(
        "counter on a revert",
        "firmware/srup/backing.py",
        'if manifest["counter"] < state.counter:\n            raise Refused(ACTION_REFUSED',
        "if False:\n            raise Refused(ACTION_REFUSED",
        "tests/flow/test_trials.py::test_a_revert_obeys_the_security_counter",
    ),
    without(
        "second signature",
        "firmware/srup/second.py",
        "    auth.signer(trusted.of(keys.AUTHORITY), digest, proof[NONCE:])\n",
        "    auth.signer(trusted.of(keys.COMMAND) + trusted.of(keys.AUTHORITY), digest, proof[NONCE:])\n",
        "tests/unit/test_second.py::test_either_authority_key_is_the_second_and_no_other_is",
    ),
    Defence(
        "boot nonce",
        (
            ("firmware/srup/second.py", "or not nonce or proof[:NONCE] != nonce:", "or not nonce:"),
            ("firmware/srup/second.py", "action, own, nonce)).digest()", "action, own, proof[:NONCE])).digest()"),
        ),
        ("tests/unit/test_second.py::test_a_withheld_command_dies_at_the_next_start",),
    ),
    without(
        "nonce of a poll",
        "host_tools/srup_host/server/polling.py",
        'if asked.get("name") == b"poll" and c2.nonces.is_fresh(device, asked["value"]) and c2.fleet.has(device):',
        'if asked.get("name") == b"poll" and c2.fleet.has(device):',
        "tests/web/test_polling.py::test_a_nonce_is_for_one_device_and_two_days",
    ),
    without(
        "slot checked at each boot",
        "firmware/boot/slot.py",
        '    if _sha256_hex(folder + "/.index", buffer) != tree:\n',
        "    return\n    if True:\n",
        "tests/flow/test_recovery.py::test_a_flipped_bit_in_the_active_slot_starts_the_version_before_and_is_reported",
    ),
)
