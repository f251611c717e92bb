"""Planted bugs: what the campaign must catch, or its silence about the real code means nothing.

Each is a small change of the device's code, made in a copy of it: (file, old text, new text). Where the old text is no longer
there once, the code has changed and the control is to be written anew: `plant` says so.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.unit.on_micropython import ROOT

PACKAGES = {"srup": "firmware/srup", "srup_boot": "firmware/boot"}


@dataclass(frozen=True)
class Control:
    """name: of the bug · changes: (file, old, new) · scenarios, backings: those that it is looked for in"""

    name: str
    scenarios: tuple[str, ...]
    changes: tuple[tuple[str, str, str], ...]
    backings: tuple[str, ...] = ("files",)

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


class ControlOutdated(Exception):
    """Its old text is not in the file once."""


def plant(control: Control, folder: Path) -> Path:
    """A copy of the device's packages with this bug in it. Raises ControlOutdated."""
    tree = folder / control.slug
    shutil.rmtree(tree, ignore_errors=True)
    for name, source in PACKAGES.items():
        shutil.copytree(ROOT / source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file, old, new in control.changes:
        path = tree / file
        text = path.read_text()
        if text.count(old) != 1:
            raise ControlOutdated(f"{control.name}: {old!r} is in {file} {text.count(old)} times")
        path.write_text(text.replace(old, new))
    return tree


# A slot with the right manifest is taken for whole when a cut has interrupted its making.
_TRUSTING = (
    "srup/backing.py",
    "        self._discard(slot)  # 5",
    "        if self.manifest(slot) == manifest:\n            return\n        self._discard(slot)  # 5",
)

CONTROLS = (
    Control(
        "a log renamed into place before it is synced",
        ("compaction",),
        (
            (
                "srup/store.py",
                "        _make_folder(self._paths[1])\n",
                (
                    "        _make_folder(self._paths[1])\n        for path in self._paths:\n"
                    '            open(path + ".new", "wb").close()\n            os.rename(path + ".new", path)\n'
                ),
            ),
            (
                "srup/store.py",
                '            with open(path + ".new", "wb") as log:\n',
                '            with open(path, "wb") as log:\n',
            ),
            (
                "srup/store.py",
                '            os.rename(path + ".new", path)\n            if self._heal:',
                "            if self._heal:",
            ),
        ),
    ),
    Control(
        "a record's file used again before it has gone to the log",
        ("commands", "update"),
        (
            (
                "srup/store.py",
                (
                    "            if self._heal or (self._sequence % _LOOSE == 0 and self._changed and not self._to_log()):\n"
                    "                self._compact()\n"
                ),
                (
                    "            full = self._sequence % _LOOSE == 0 and self._changed\n"
                    "            if self._heal:\n                self._compact()\n"
                ),
            ),
            (
                "srup/store.py",
                '"wb", _record(self._sequence + 1, payload))\n',
                (
                    '"wb", _record(self._sequence + 1, payload))\n'
                    "            if full and self._changed:\n                self._to_log()\n"
                ),
            ),
        ),
    ),
    Control(
        "a key added after that has been answered",
        ("command-key",),
        (
            (
                "srup/road.py",
                "        changes.update(command.done())\n        changes.update(reply.answer(command.token, answer))\n",
                (
                    "        late, changes = changes, command.done()\n"
                    "        changes.update(reply.answer(command.token, answer))\n"
                    "        self.store.put(changes)\n        changes = late\n"
                ),
            ),
        ),
    ),
    Control(
        "a trial counted after it has started",
        ("resets",),
        (
            ("srup_boot/start.py", "        state.boots_left -= 1\n", "        pass\n"),
            (
                "srup/updater.py",
                "            if up:\n                self.event(update.UNHEALTHY",
                (
                    "            if up:\n"
                    "                state = self._slots.record()\n                state.boots_left -= 1\n"
                    "                self._slots._save(state)\n                self.event(update.UNHEALTHY"
                ),
            ),
        ),
    ),
    Control(
        "a slot started without a look at its contents",
        ("fallback",),
        (("srup_boot/start.py", "        slots.verify(slot)\n", ""),),
    ),
    Control(
        "a manifest written first, and trusted when the unpacking is taken up",
        ("update",),
        (
            _TRUSTING,
            (
                "srup/slots.py",
                "        yield from empty(folder)\n        file.seek(at)\n",
                (
                    "        yield from empty(folder)\n"
                    '        yield from unpacker.write(folder + "/.manifest", opened.manifest_bytes)\n'
                    "        file.seek(at)\n"
                ),
            ),
        ),
    ),
    Control(
        "a raw slot's header written first, and trusted when the download is taken up, and at boot",
        ("update",),
        (
            ("srup_boot/start.py", "        slots.verify(slot)\n", ""),
            (
                "srup/straight.py",
                "            self._body.begins = opened.body_at\n",
                "            self._body.begins, self._early = opened.body_at, opened\n",
            ),
            (
                "srup/straight.py",
                "            self._body.begin()\n        os.rename",
                (
                    "            self._body.begin()\n            self._slots._write_header(self._slots.region(), self._early)\n"
                    "        os.rename"
                ),
            ),
            (
                "srup/updater.py",
                "        yield from download.run()\n",
                "        if not self._slots.manifest(self._slots.other()):\n            yield from download.run()\n",
            ),
            (
                "srup/partition_slots.py",
                (
                    "        yield from self._check_image(unpacker, region, size, tree)\n"
                    "        self._write_header(region, opened)\n"
                ),
                "        yield\n",
            ),
        ),
        ("regions", "firmwares"),
    ),
    Control(
        "a boot record in one copy, removed before it is written",
        ("update",),
        (
            (
                "srup_boot/record.py",
                '        with open(_path(root, sequence & 1), "wb") as file:\n',
                (
                    "        import os\n\n        for copy in (0, 1):\n            try:\n"
                    "                os.remove(_path(root, copy))\n            except OSError:\n                pass\n"
                    '        with open(_path(root, sequence & 1), "wb") as file:\n'
                ),
            ),
        ),
    ),
    Control(
        "a token recorded after the effect",
        ("commands",),
        (
            (
                "srup/replay.py",
                "        self._store.put(changes)\n        return command",
                (
                    "        self.late = changes\n"
                    "        self._store._table.update({key: value for key, value in changes.items() if value})\n"
                    "        return command"
                ),
            ),
            (
                "srup/road.py",
                "            yield self._do, self.govern if governs else hands.commands.obey, command\n",
                (
                    "            yield self._do, self.govern if governs else hands.commands.obey, command\n"
                    '            self.store.put({key: value for key, value in self.replay.late.items() if key[:1] != b"X"})\n'
                ),
            ),
        ),
    ),
    Control(
        "a frame acknowledged before it is on record",
        ("commands",),
        (
            (
                "srup/road.py",
                "            self._command = self._admitted(payload)\n",
                "            self._transport.acknowledge()\n            self._command = self._admitted(payload)\n",
            ),
            ("srup/road.py", "        self._transport.acknowledge()\n        return True\n", "        return True\n"),
        ),
    ),
    Control(
        "a state and its answer in two records",
        ("update",),
        (
            (
                "srup/updater.py",
                "        self._store.put(changes)\n        self.state",
                '        self._store.put({b"U": changes.pop(b"U")})\n        if changes:\n            self._store.put(changes)\n        self.state',
            ),
        ),
    ),
    Control(
        "a confirmation asked for before the self-test",
        ("sick",),
        (("srup/updater.py", "update.UNHEALTHY if self_test() is False else update.HEALTHY", "update.HEALTHY"),),
    ),
    Control(
        "a trial without a deadline",
        ("unconfirmed",),
        (("srup_boot/start.py", "        hw.arm(state.trial_s)\n", "        pass\n"),),
    ),
    Control(
        "slots moved into place at boot (after MCUboot's issue 829 and 1588: a swap interrupted half-way)",
        ("second-update",),
        (
            (
                "srup_boot/start.py",
                "    state = record.load(root)\n",
                "    state = record.load(root)\n    _move(root, state)\n",
            ),
            (
                "srup_boot/start.py",
                "def _trial(",
                (
                    "def _move(root, state):\n    import os\n\n    if state.active == 1 and not state.on_trial():\n"
                    '        for old, new in (("a", "c"), ("b", "a"), ("c", "b")):\n'
                    '            os.rename(root + "/" + old, root + "/" + new)\n'
                    "        state.active, state.fallback = 0, 1\n        state.save(root)\n\n\ndef _trial("
                ),
            ),
        ),
    ),
    Control(
        "a revert in two steps, and an agent that waits for such a trial (after MCUboot's pull request 2100: one interrupted is no revert)",
        ("unconfirmed",),
        (
            (
                "srup_boot/start.py",
                "        state.revert(record.UNPROVEN)\n",
                (
                    "        slot, state.trial = state.trial, NONE\n        _saved(root, state, notes)\n"
                    "        state.trial = slot\n        state.revert(record.UNPROVEN)\n"
                ),
            ),
            (
                "srup/updater.py",
                (
                    '            if self._store.get(b"R") == self.token:\n'
                    "                return update.UNCARRIED if self._go_back(boot.COMMANDED) else None\n"
                    '            self._store.put({b"R": self.token})\n'
                    "            self._restart()\n"
                ),
                "",
            ),
        ),
    ),
    Control(
        "a revert to the slot before, which a board from the factory never had (after MCUboot's issue 829)",
        ("crashes",),
        (
            (
                "srup_boot/record.py",
                "        if self.trial != NONE and self.fallback == self.trial:\n",
                "        self.active = self.fallback\n        if self.trial != NONE and self.fallback == self.trial:\n",
            ),
        ),
    ),
    Control(
        "the application that the boot record names, whichever firmware the bootloader has started",
        ("update",),
        (
            (
                "srup_boot/firmware.py",
                "        super().enter(slot, trial)\n        self.folders",
                "        if trial:\n            super().enter(slot, trial)\n        self.folders",
            ),
        ),
        ("pairs",),
    ),
)
