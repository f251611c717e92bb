"""Who may publish and read which MQTT topics (protocol.md, section 4): one list of grants, for every broker.

Nothing that is signed leans on it. It keeps devices out of each other's way, and strangers out of everybody's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from srup_host.credentials import SERVER
from srup_host.fleet import Fleet


@dataclass(frozen=True)
class Grant:
    """filter: an MQTT topic filter. write: may publish to it. read: may subscribe to it."""

    filter: str
    write: bool = False
    read: bool = False


class Rules:
    """fleet: whose devices are in · groups: a device's UUID -> the UUIDs of its groups."""

    def __init__(self, fleet: Fleet, groups: Callable[[str], Iterable[str]] = lambda device: ()):
        self._fleet = fleet
        self._groups = groups

    def grants(self, user: str) -> list[Grant]:
        groups = self._groups(user) if user != SERVER and self._is_enrolled(user) else ()
        return [*self._own(user), *(Grant(f"srup/group/{group}/c2", read=True) for group in groups)]

    def _own(self, user: str) -> list[Grant]:
        """All but what its groups give it."""
        if user == SERVER:
            return [Grant("srup/#", True, True), Grant("app/#", True, True)]
        commands = Grant(f"srup/{user}/c2", read=True)
        if not self._is_enrolled(user):
            return [Grant("srup/join", write=True), commands]
        own = [Grant(f"srup/{user}/up", write=True), Grant(f"srup/{user}/state", write=True)]
        return [commands, *own, Grant(f"app/{user}/#", True, True)]

    def may_publish(self, user: str, topic: str) -> bool:
        plain = "+" not in topic and "#" not in topic
        return plain and any(grant.write and matches(grant.filter, topic) for grant in self._own(user))

    def may_subscribe(self, user: str, topic_filter: str) -> bool:
        """Also for filters with wildcards: all that the filter can match must be granted."""
        return any(grant.read and matches(grant.filter, topic_filter) for grant in self.grants(user))

    def _is_enrolled(self, user: str) -> bool:
        return self._fleet.has(user)


def user_of(client: str | None) -> str:
    """The user that a client id belongs to: itself; but the server may add `.something`, to be there several times."""
    client = client or ""
    return SERVER if client.startswith(f"{SERVER}.") else client


def matches(topic_filter: str, topic: str) -> bool:
    """True if `topic_filter` covers `topic`, or everything that the filter `topic` covers (MQTT 3.1.1, section 4.7)."""
    wanted, given = topic_filter.split("/"), topic.split("/")
    for position, level in enumerate(wanted):
        if level == "#":
            return position <= len(given)
        if position >= len(given) or given[position] == "#" or level not in ("+", given[position]):
            return False
    return len(wanted) == len(given)
