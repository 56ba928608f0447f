"""The replica: every kind of row arrives as it is, and the proof notices when it did not."""

import asyncio
import enum
import json
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.replication.checksum import table_digest
from fieldpost.replication.rows import public_columns, row_to_wire
from fieldpost.types import Attachment, File, Photos
from fieldpost_client.platform.base import StoreError
from fieldpost_client.platform.host import HostPlatform
from fieldpost_client.platform.memory import HostStore
from fieldpost_client.replica.replica import PIECE_BYTES, Replica, Unreadable, kept_pieces

SHA = "ab" * 32


class Base(DeclarativeBase):
    pass


class Colour(enum.Enum):
    red = "r"
    blue = "b"


class Thing(Base):
    """A table whose name needs quoting, with a key of two parts and every kind of column."""

    __tablename__ = "the order"

    region: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str | None] = mapped_column("select", sa.Text)
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(10, 2))
    weight: Mapped[float | None]
    day: Mapped[date | None]
    hour: Mapped[time | None]
    moment: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    mark: Mapped[uuid.UUID | None]
    colour: Mapped[Colour | None]
    done: Mapped[bool | None]
    raw: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    more: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    photos: Mapped[Photos | None]
    file: Mapped[File | None]
    secret: Mapped[str] = mapped_column(sa.String(10), default="x", info={"private": True})


APP = App("Things", Base, [Page(Thing, offline=True, form=["region", "number", "text"])])
FULL = {
    "region": "nord",
    "number": 1,
    "select": "ä\nb",
    "price": Decimal("10.50"),
    "weight": 0.1,
    "day": date(2026, 1, 2),
    "hour": time(3, 4),
    "moment": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    "mark": uuid.UUID(int=7),
    "colour": Colour.blue,
    "done": True,
    "raw": b"\0\xff",
    "more": {"a": [1, None]},
    "photos": [Attachment(SHA, 3, "image/png", "p")],
    "file": Attachment(SHA, 3, "text/plain", "f"),
}
EMPTY = dict.fromkeys(FULL) | {"region": "süd", "number": 2}


def wire(*rows: dict[str, Any]) -> list[Any]:
    table = APP.models["the order"].table
    return list(json.loads(json.dumps([row_to_wire(table, row) for row in rows])))


def digests(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"the order": table_digest(wire(*rows))}


def read(replica: Replica) -> list[dict[str, Any]]:
    columns = public_columns(APP.models["the order"])
    with replica.connection.begin():
        found = replica.connection.execute(sa.select(*columns).order_by(columns[1])).all()
    return [dict(zip((c.name for c in columns), row, strict=True)) for row in found]


@pytest.fixture
def replica() -> Any:
    made = Replica(APP)
    made.apply({"put": {"the order": wire(FULL, EMPTY)}})
    yield made
    made.close()


def test_every_kind_of_value_arrives(replica: Replica) -> None:
    """Rows arrive as they are, for every type, key and name (R36)."""
    assert read(replica) == [FULL, EMPTY]
    assert asyncio.run(replica.differences(digests(EMPTY, FULL))) == []


def test_rows_are_changed_and_removed(replica: Replica) -> None:
    """A changed row takes the place of the old one, a removed one goes (R45)."""
    changed = FULL | {"price": Decimal("0.05")}
    replica.apply({"put": {"the order": wire(changed)}, "remove": {"the order": [["süd", 2]]}})
    assert read(replica) == [changed]
    replica.apply({"replace": ["the order"], "put": {"the order": wire(EMPTY)}})
    assert read(replica) == [EMPTY]


@pytest.mark.parametrize("other", [(FULL,), (FULL, FULL), (FULL | {"weight": 0.2}, EMPTY), ()])
def test_every_difference_shows(replica: Replica, other: Any) -> None:
    """A missing, doubled or changed row shows in the digest (R47)."""
    assert asyncio.run(replica.differences(digests(*other))) == ["the order"]


def test_answer_that_does_not_fit_changes_nothing(replica: Replica) -> None:
    """A pull's answer is applied whole or not at all."""
    with pytest.raises(KeyError):
        replica.apply({"remove": {"the order": [["süd", 2]]}, "put": {"unknown": [{"a": 1}]}})
    wrong = [*wire(FULL | {"day": None}), wire(EMPTY)[0] | {"day": "no day"}]
    with pytest.raises(ValueError, match="isoformat"):
        replica.apply({"replace": ["the order"], "put": {"the order": wrong}})
    assert read(replica) == [FULL, EMPTY]


def test_image_of_an_older_app_opens() -> None:
    """Columns and tables that the app has got since are added, and a full download is due (R56)."""
    old = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with old.connect() as connection:
        connection.exec_driver_sql('CREATE TABLE "the order" (region TEXT, number INTEGER)')
        connection.commit()
        image = connection.connection.driver_connection.serialize()  # type: ignore[union-attr]
    old.dispose()
    opened = Replica(APP, image)
    assert opened.is_outdated
    assert read(opened) == []
    opened.close()
    assert not Replica(APP).is_outdated


@pytest.mark.parametrize("image", [b"<html>", b"SQLite format 3\0" + b"\1" * 500])
def test_no_database_is_refused(image: bytes) -> None:
    """Bytes that are no database are refused by name."""
    with pytest.raises(Unreadable):
        Replica(APP, image)


def test_small_changes_store_few_pieces(replica: Replica) -> None:
    """Only pieces that changed are written again; together they are the image (R45)."""
    rows = [EMPTY | {"number": n, "select": "text " * 40} for n in range(10, 4000)]
    replica.apply({"put": {"the order": wire(*rows)}})
    platform = HostPlatform()
    first, operations = asyncio.run(kept_pieces(platform, replica.image()))
    asyncio.run(platform.store.write(operations))
    replica.apply({"put": {"the order": wire(rows[0] | {"select": "other"})}})
    second, operations = asyncio.run(kept_pieces(platform, replica.image()))
    assert len(operations) <= 8 < len(first)
    asyncio.run(platform.store.write(operations))
    assert asyncio.run(platform.store.read_image(second)) == replica.image()
    assert sum(len(piece) for piece in platform.store.tables["pieces"].values()) <= (
        len(second) * PIECE_BYTES
    )


def test_store_writes_all_or_nothing() -> None:
    """The stand-in's store keeps the promise that the browser's gives: whole or not at all."""
    store = HostStore()
    asyncio.run(store.write([("put", "session", "a", {"x": 1})]))
    with pytest.raises(StoreError, match="MissingAttachment"):
        asyncio.run(store.write([("put", "session", "a", 2), ("adopt", SHA)]))
    assert asyncio.run(store.read("session", "a")) == {"x": 1}


def test_private_columns_do_not_travel() -> None:
    """A private column is none of those that leave the server (R67)."""
    assert "secret" not in {c.name for c in public_columns(APP.models["the order"])}
