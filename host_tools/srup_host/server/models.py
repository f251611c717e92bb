"""The server's tables beside the ledger's. Times are ms since 1970, devices their UUID as text.

Secrets (of sessions, API tokens, invitations) are kept as their SHA-256: they have 256 random bits, so a copy of the database
is of no use to whoever steals it. Passwords, which have fewer, are kept by argon2.
"""

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from srup_host.tables import Base

# Access


class Account(Base):
    """A person. closed: since when this one may not come in any more."""

    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[int]
    password: Mapped[str]
    made: Mapped[int]
    closed: Mapped[int | None]


class Visit(Base):
    """A session of a person in a browser. csrf: what a form of this session must send along."""

    __tablename__ = "sessions"
    secret: Mapped[bytes] = mapped_column(primary_key=True)
    account: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    csrf: Mapped[str]
    began: Mapped[int]
    used: Mapped[int]


class ApiToken(Base):
    """What a program shows instead of a password."""

    __tablename__ = "api_tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    secret: Mapped[bytes] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[int]
    made: Mapped[int]
    made_by: Mapped[str]
    expires: Mapped[int | None]
    revoked: Mapped[int | None]


class Invitation(Base):
    """A link that makes one account of this role, once."""

    __tablename__ = "invitations"
    secret: Mapped[bytes] = mapped_column(primary_key=True)
    role: Mapped[int]
    expires: Mapped[int]
    made_by: Mapped[str]


# Audit


class AuditLine(Base):
    """A line of the audit log, as its hash covers it (see module audit)."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[str]
    hash: Mapped[bytes]
    at: Mapped[int]
    subject: Mapped[str] = mapped_column(index=True)


class AuditHead(Base):
    """The newest line at some time, signed."""

    __tablename__ = "audit_heads"
    number: Mapped[int] = mapped_column(primary_key=True)
    head: Mapped[str]


# Registry


class Member(Base):
    """A device of the fleet as the server sees it. fingerprint: SHA-256 of its public key, hex.

    online: what its last will says; nothing is decided by it · seen: when it last sent a frame of its own · app, version,
    counter: as its latest signed inventory says, here to be searched; tables.Heard has the inventory itself · failures: updates
    that failed since the last one that did not · left: since when the fleet's directory has it no more · zone: where it is, as in
    Europe/Paris; "" where nobody has said.
    """

    __tablename__ = "devices"
    uuid: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    board: Mapped[str] = mapped_column(index=True)
    public_key: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(index=True)
    provisioned: Mapped[int]
    online: Mapped[bool] = mapped_column(default=False, index=True)
    seen: Mapped[int | None] = mapped_column(index=True)
    app: Mapped[str | None]
    version: Mapped[str | None]
    counter: Mapped[int | None]
    failures: Mapped[int] = mapped_column(default=0)
    quarantined: Mapped[int | None] = mapped_column(index=True)
    quarantined_why: Mapped[str | None]
    left: Mapped[int | None]
    zone: Mapped[str] = mapped_column(default="", server_default="", index=True)


# All that registry.versions looks at: it goes through the whole fleet.
Index("device_figures", Member.app, Member.version, Member.left, Member.online, Member.failures, Member.quarantined)


class Label(Base):
    """A device's group (kind "group") or tag (kind "tag")."""

    __tablename__ = "labels"
    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(ForeignKey("devices.uuid"), primary_key=True, index=True)


class Order(Base):
    """An action that takes two keys, and so two persons. own: its parameters · token: what it will be sent under, once it has been
    prepared · state: waiting, sent or withdrawn."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(ForeignKey("devices.uuid"))
    action: Mapped[int]
    own: Mapped[bytes]
    state: Mapped[str]
    token: Mapped[bytes | None]
    made: Mapped[int]
    made_by: Mapped[str]
    ended: Mapped[int | None]
    ended_by: Mapped[str]


# Releases and roll-outs


class Release(Base):
    """A bundle that the release key has signed, and where devices get it."""

    __tablename__ = "bundles"
    digest: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    url: Mapped[str]
    size: Mapped[int]
    manifest: Mapped[dict[str, object]] = mapped_column(JSON)
    added: Mapped[int]
    added_by: Mapped[str]


class Rollout(Base):
    """A bundle on its way to devices. wave: the highest that has been let go, from 0 · policy: see rollout_plan.Policy ·
    approved_by, activation_by: who let it begin, who let what is staged be activated · why: of its state, where there is a reason."""

    __tablename__ = "rollouts"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    bundle: Mapped[str] = mapped_column(ForeignKey("bundles.digest"))
    selector: Mapped[dict[str, object]] = mapped_column(JSON)
    policy: Mapped[dict[str, object]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(index=True)
    wave: Mapped[int] = mapped_column(default=0)
    waves: Mapped[int]
    made: Mapped[int]
    made_by: Mapped[str]
    approved_by: Mapped[str | None]
    activation_by: Mapped[str | None]
    changed: Mapped[int]
    why: Mapped[str] = mapped_column(default="")


class Target(Base):
    """A device of a roll-out. token: of its INITIATE · due: not before · status: the device's last
    word · attempts: INITIATEs so far · since: when it came into this state · bundle: what it was sent last, perhaps a delta ·
    sealed: the name of the copy that was made for it alone."""

    __tablename__ = "rollout_devices"
    rollout: Mapped[int] = mapped_column(ForeignKey("rollouts.id"), primary_key=True)
    device: Mapped[str] = mapped_column(ForeignKey("devices.uuid"), primary_key=True, index=True)
    wave: Mapped[int]
    state: Mapped[str]
    token: Mapped[bytes | None]
    status: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(default=0)
    due: Mapped[int] = mapped_column(default=0)
    since: Mapped[int]
    why: Mapped[str] = mapped_column(default="")
    bundle: Mapped[str] = mapped_column(default="", server_default="")
    sealed: Mapped[str] = mapped_column(default="", server_default="")


Index("target_due", Target.rollout, Target.state, Target.wave, Target.due)
Index("target_page", Target.rollout, Target.wave, Target.device)


class Happening(Base):
    """A transition of a roll-out (device "") or of a device in it."""

    __tablename__ = "rollout_events"
    id: Mapped[int] = mapped_column(primary_key=True)
    rollout: Mapped[int] = mapped_column(ForeignKey("rollouts.id"))
    device: Mapped[str]
    at: Mapped[int]
    event: Mapped[str]
    before: Mapped[str]
    after: Mapped[str]
    actor: Mapped[str]
    why: Mapped[str] = mapped_column(default="")


Index("rollout_story", Happening.rollout, Happening.at)
