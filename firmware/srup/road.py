"""What a frame sets off, from step 2 to step 8: the modules of the road, joined.

There is a Road while there is something to do, and none while the device only waits: the agent makes one when it starts
and whenever a frame comes, and lets it go, with its modules, when it has been idle for a while. So whatever of a
transaction matters is in the store, or keeps the road from being idle.
"""

import json

from srup import __version__, limits, port, reply, tokens, update, wire
from srup.auth import Auth
from srup.commands import Commands
from srup.errors import NetworkError, Refused, Repeated, SrupError, StorageError
from srup.keys import Keys
from srup.paths import exists
from srup.replay import Replay
from srup.store import Store
from srup.updater import Updater
from srup_boot.slot import Folders, contents

_SLOTS = {0: "a", 1: "b"}


def _slots(root, choice, log):
    """Where this board's slots are, as a Backing. Where that can't be told it is in recovery, and is to be reached all the same."""
    try:
        where = contents(root)
    except (OSError, ImportError, ValueError, TypeError, IndexError) as error:
        log("slots.json: %r" % error)
        where = Folders(root)
    if isinstance(where, Folders):
        from srup.slots import FileSlots

        return FileSlots(root, choice)
    if hasattr(where, "mark_valid"):
        from srup.firmware_slots import FirmwareSlots

        return FirmwareSlots(root, choice, where)
    from srup.partition_slots import PartitionSlots

    return PartitionSlots(root, choice, where)


class Road:
    """choice: as for Agent · counts: {reason: how many refused frames}, to be counted up · refusals: list, as for
    Outbox · restart: called for a hard reset · log: called with a line of text"""

    def __init__(self, config, root, choice, clock, hooks, transport, counts, refusals, restart, log):
        self._config = config
        self._root = root
        self._hooks = hooks
        self._choice = choice
        self._clock = clock
        self._transport = transport
        self._counts = counts
        self._log = log
        self._topic = b"srup/" + config.uuid.encode() + b"/up"
        self._reports = []  # (frame, changes of the store once it has gone)
        self._obeying = False  # and the application's hook may `poll`
        self.store = Store(root + "/state.log")
        clock.store = self.store
        self.keys = Keys(self.store, root + "/device.key", root, config.tables_in_memory)
        self.slots = _slots(root, choice, log)
        self.outbox = reply.Outbox(self.store, self.keys, refusals)
        self.updater = Updater(
            config,
            self.store,
            self.keys,
            clock,
            self.slots,
            self._data,
            choice.trial,
            restart,
            log,
        )
        self.auth = Auth(self.keys, config.device)
        self.replay = Replay(self.store, self.keys, clock, self.updater.staged, self.updater.under_way)
        self.commands = Commands(self.store, self.replay.received, self.updater, self.outbox, hooks, self._inform, log)

    def _data(self):
        from srup.data_slots import DataSlots  # now: many applications never get any

        return DataSlots(self._root, lambda folder, manifest: self._hooks.call("files", folder, manifest))

    def recover(self):
        """Take up the update that a restart has interrupted. Raises StorageError."""
        self.updater.recover(self.replay)

    def idle(self):
        """Nothing is under way, nothing is left to be said, and nothing is remembered that is not in the store."""
        return (
            not self._obeying
            and self.updater.state in (update.IDLE, update.STAGED)
            and self.commands.rebooting_since is None
            and not self._reports
            and self.outbox.empty()
        )

    def can_wait(self):
        """Nothing is under way, and what is left to be said is in the store."""
        resting = self.updater.state in (update.IDLE, update.STAGED) and self.commands.rebooting_since is None
        return resting and not self._obeying and not self._reports

    def fetching(self):
        """True while an update is being fetched."""
        return self.updater.state == update.FETCHING

    def fail_trial(self):
        """The application has crashed. True if that ends a trial: it restarts."""
        return self._choice.trial and self.updater.event(update.UNHEALTHY)

    # frames in

    def receive(self, payload):
        """A frame from the transport, acknowledged once it is on record; a StorageError passes through before that."""
        command = None
        try:
            command = self.replay.admit(self.auth.authenticate(wire.decode(payload)))
        except Repeated as again:
            self.outbox.again(again.token)
        except Refused as refusal:
            self._count(refusal)
            self.outbox.refuse(refusal.token, refusal.status)
        except StorageError:
            raise
        except SrupError as error:
            self._count(error)
        self._transport.acknowledge()
        if command:
            self._log("%s %s" % (wire.TYPES[command.type][0], reply.hexed(command.token)))
            self._obey(self.commands.obey, command)

    def take_up(self):
        """Commands that the last start left open."""
        self._obey(self.commands.take_up)

    def _obey(self, call, *arguments):
        self._obeying = True
        try:
            call(*arguments)
        finally:
            self._obeying = False

    def _count(self, error):
        self._counts[error.reason] = self._counts.get(error.reason, 0) + 1
        self._log("refused: %s (%s)" % (error.reason, error))

    # answers out

    def deliver(self):
        """Send what waits to be said, and note what the broker has taken."""
        for handle in self._transport.acknowledged:
            self.outbox.acknowledged(handle)
        self._transport.acknowledged.clear()
        if not self._transport.up:
            return
        try:
            self.outbox.pump(self._send)
            while self._reports:
                frame, changes = self._reports[0]
                self._send(frame)
                self.store.put(changes)
                self._reports.pop(0)
        except NetworkError:
            pass  # what could not go stays, and the transport will notice

    def _send(self, frame):
        return self._transport.publish(self._topic, frame)

    def _inform(self, command):
        """ID_REQUEST: queue DATA `inventory`, signed; the command's record is closed when it has gone."""
        value = json.dumps(self.inventory()).encode()
        token = tokens.mint(self._clock.now(), self.store.get(b"D") or tokens.ZERO, port.random(8))
        self.store.put({b"D": token})
        elements = {"target": self._config.device, "token": token, "name": b"inventory", "value": value}
        self._reports.append((reply.sealed(self.keys, wire.DATA, elements), command.done()))

    def inventory(self):
        """What runs here, for DATA `inventory`."""
        running = self.slots.manifest(self._choice.slot) or {}
        other = self.slots.manifest(self.slots.other()) or {}
        told = {
            "name": running.get("name"),
            "version": running.get("version"),
            "tree": running.get("tree"),
            "counter": self.slots.record().counter,
            "other": other.get("version"),
            "trial": self._choice.trial and self.updater.state == update.TRIAL,
            "board": self._config.board,
            "agent": __version__,
            "slot": _SLOTS.get(self._choice.slot, "none"),
            "note": self._choice.note[: limits.NOTE],
            "refused": self._counts,
            "lost": self.replay.losses(),
            "latest": {reply.hexed(key[1:]): entry[0] for key, entry in self.store.items(b"S")[-4:]},
            "clock": self._clock.now(),
            "heap": port.free_memory(),
        }
        data = self._data() if exists(self._root + "/data") else None
        taken = data and data.manifest(data.running)
        if taken:
            told["data"] = [taken["name"], taken["version"], taken["tree"]]
        return told
