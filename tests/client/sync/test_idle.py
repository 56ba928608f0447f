"""A sync with nothing to do does nothing: no image is read, no piece written, no row looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.replication.replica_tables import replica_engine
from fieldpost_client.platform.memory import HostStore


@contextmanager
def statements() -> Iterator[list[str]]:
    """Give what a device asks its rows while the block runs."""
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    engine = replica_engine()
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_a_sync_with_nothing_to_do_touches_no_row(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read of the image, written of its pieces, or asked of the rows (R20, R47)."""
    desk.sync()
    written: list[str] = []
    write = HostStore.write

    async def noted(store: HostStore, operations: Any) -> None:
        written.extend(f"{what} {where}" for what, where, *_ in operations)
        await write(store, operations)

    async def unasked(*_: Any) -> bytes:
        pytest.fail("the image was read")

    monkeypatch.setattr(HostStore, "write", noted)
    monkeypatch.setattr(HostStore, "read_image", unasked)
    with statements() as asked:
        report = desk.sync()

    assert ("done", 0, False) == (report["outcome"], report["pulled"], report["full"])
    assert {"put replica", "put session"} == set(written)
    assert [] == asked


def test_files_are_looked_for_again_when_rows_have_changed(desk: Any) -> None:
    """What rows refer to is remembered as long as no row has changed, here or there."""
    replica = desk.home.copy.replica
    before = replica.references()
    with statements() as asked:
        assert before == replica.references()
    assert [] == asked

    desk.add()
    with statements() as asked:
        desk.home.copy.replica.references()
    assert [] != asked
