"""What obeys: the updater, the slots and the commands, joined. Made when a command has been admitted, or an update goes on, and
where memory is short let go for P-256 (see `road`). So whatever of it matters is in the store.
"""

from srup import status, wire
from srup.commands import Commands, closing
from srup.paths import exists
from srup.updater import Updater
from srup_boot.slot import Folders, contents


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
    if hasattr(where, "folders"):
        from srup.pair_slots import PairSlots

        return PairSlots(root, choice, where)
    if hasattr(where, "mark_valid"):
        from srup.firmware_slots import FirmwareSlots

        return FirmwareSlots(root, choice, where)
    from srup.partition_slots import PartitionSlots

    return PartitionSlots(root, choice, where)


class Hands:
    """road: Road, of which they take what they need · restart: called for a hard reset. Raises StorageError."""

    def __init__(self, road, restart):
        self._road = road
        self.slots = _slots(road.root, road.choice, road.log)
        self.updater = Updater(
            road.config,
            road.store,
            road.keys,
            road.clock,
            self.slots,
            self._data,
            road.choice.trial,
            restart,
            road.log,
        )
        self.commands = Commands(
            road.store,
            road.replay,
            road.reports,
            self.updater,
            road.outbox,
            road.hooks,
            self._inform,
            road.govern,
            self._actions,
            road.session,
            road.log,
        )
        self.updater.recover(road.replay)

    def _data(self):
        from srup.data_slots import DataSlots  # now: many applications never get any

        hooks = self._road.hooks
        return DataSlots(self._road.root, lambda folder, manifest: hooks.call("files", folder, manifest))

    def data_manifest(self):
        """Of the files that the application took last; None if there are none."""
        if not exists(self._road.root + "/data"):
            return None
        data = self._data()
        return data.manifest(data.running)

    def _inform(self, command):
        """ID_REQUEST and DATA `log`: what is asked for goes, and with it the command's record is closed."""
        if command.type == wire.ID_REQUEST:
            from srup import inventory

            self.tell(b"inventory", inventory.value(self._road, self), command.done())
        else:
            from srup import health

            self.tell(b"log", health.last_crash(self._road.root), closing(command, status.DATA_SUCCESS))

    def _actions(self):
        from srup.actions import Actions  # now: most commands are something else

        return Actions(self._road, self)

    def tell(self, name, value, changes):
        """Send DATA `name`, of these bytes, when there is a connection; these changes of the store are made when it has gone."""
        self._road.reports.append((wire.DATA, self._road.own(name, value), changes))
