"""The ledger's tables. Every time is ms since 1970, every token 16 bytes, every device its UUID as text."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, Integer, false, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column

from srup import status, wire


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {int: BigInteger().with_variant(Integer, "sqlite")}


class Transaction(Base):
    """One transaction of one device. seen: its statuses, a byte each, in the order they came.

    name, version, tree: of an INITIATE's bundle, as the inventory must say before the update counts as confirmed.
    agreed: when the inventory said so, or when an ID_REQUEST's came · lost: it was open when the server was restored from a copy.
    """

    __tablename__ = "transactions"
    device: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[bytes] = mapped_column(primary_key=True)
    kind: Mapped[int]
    key_id: Mapped[bytes]
    opened: Mapped[int]
    seen: Mapped[bytes] = mapped_column(default=b"")
    changed: Mapped[int | None]
    name: Mapped[str | None]
    version: Mapped[str | None]
    tree: Mapped[str | None]
    agreed: Mapped[int | None]
    lost: Mapped[bool] = mapped_column(default=False, server_default=false())

    @property
    def status(self) -> int | None:
        """Its latest status, None before the first."""
        return self.seen[-1] if self.seen else None

    @property
    def reported(self) -> bool:
        """True once the device has said ACTIVATE_SUCCESS; that it runs the new version is not known by that alone."""
        return self.status == status.ACTIVATE_SUCCESS

    @property
    def confirmed(self) -> bool:
        """True once ACTIVATE_SUCCESS *and* a signed inventory say so."""
        return self.reported and self.agreed is not None


class Sent(Base):
    """A frame to a device. unanswered: nothing shows yet that it has arrived; at most one such command for each device · again: not to
    be published again before then."""

    __tablename__ = "sent"
    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str]
    token: Mapped[bytes] = mapped_column(index=True)
    type: Mapped[int]
    frame: Mapped[bytes]
    at: Mapped[int]
    unanswered: Mapped[bool] = mapped_column(default=True)
    again: Mapped[int] = mapped_column(default=0, server_default="0")

    @property
    def topic(self) -> str:
        return f"srup/{self.device}/c2"

    @property
    def name(self) -> str:
        """The type of the frame, and what it is about where it is DATA."""
        about = f" {wire.decode(self.frame).elements['name'].decode()}" if self.type == wire.DATA else ""
        return f"{wire.TYPES[self.type][0]}{about}"

    @property
    def is_aside(self) -> bool:
        """True for what goes with another command: a question, or the confirm of an update."""
        return self.name in ("ID_REQUEST", "DATA confirm")


# A question is no command: it is how a lost answer is found.
Index(
    "one_unanswered",
    Sent.device,
    unique=True,
    sqlite_where=Sent.unanswered & (Sent.type != wire.ID_REQUEST),
    postgresql_where=Sent.unanswered & (Sent.type != wire.ID_REQUEST),
)


# For what is asked of a table that only ever grows.
Index("sent_waiting", Sent.device, sqlite_where=Sent.unanswered, postgresql_where=Sent.unanswered)
Index("sent_open", Sent.id, sqlite_where=Sent.unanswered, postgresql_where=Sent.unanswered)
Index("sent_to", Sent.device, Sent.id)
Index("sent_type", Sent.type, Sent.at)


class Evidence(Base):
    """A frame from a device that moved something on, as received. verdict: what it was taken for."""

    __tablename__ = "evidence"
    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(index=True)
    token: Mapped[bytes] = mapped_column(index=True)
    at: Mapped[int]
    frame: Mapped[bytes]
    verdict: Mapped[str]


class Heard(Base):
    """The latest of each device: its highest token, its inventory (JSON). starts: its latest boot nonces in hex, the newest last."""

    __tablename__ = "heard"
    device: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[bytes]
    inventory: Mapped[str | None]
    inventory_at: Mapped[int | None]
    starts: Mapped[str] = mapped_column(default="", server_default="")


class Minted(Base):
    """The highest token of a key for a target."""

    __tablename__ = "minted"
    key_id: Mapped[bytes] = mapped_column(primary_key=True)
    target: Mapped[bytes] = mapped_column(primary_key=True)
    token: Mapped[bytes]


Index("minted_newest", Minted.key_id, Minted.token)


class Alarm(Base):
    """Something that should not be. What nobody has signed is counted, with its latest frame; anyone can make such."""

    __tablename__ = "alarms"
    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(index=True)
    why: Mapped[str]
    at: Mapped[int]
    count: Mapped[int]
    frame: Mapped[bytes]


def unanswered(session: Session, device: str | None) -> list[Sent]:
    """Frames to a device, or to all, that nothing shows to have arrived, oldest first."""
    query = select(Sent).where(Sent.unanswered).order_by(Sent.id)
    return list(session.scalars(query.where(Sent.device == device) if device else query))


def latest_updates(session: Session, devices: list[str]) -> dict[str, Transaction]:
    """As `latest_update`, for many."""
    newest_first = func.row_number().over(partition_by=Transaction.device, order_by=Transaction.token.desc())
    ranked = select(Transaction, newest_first.label("rank"))
    ranked = ranked.where(Transaction.device.in_(devices), Transaction.kind == wire.INITIATE).subquery()
    newest = aliased(Transaction, ranked)
    return {one.device: one for one in session.scalars(select(newest).where(ranked.c.rank == 1))}


def latest_update(session: Session, device: str) -> Transaction | None:
    """The transaction of the device's newest INITIATE."""
    query = select(Transaction).where(Transaction.device == device, Transaction.kind == wire.INITIATE)
    return session.scalar(query.order_by(Transaction.token.desc()).limit(1))
