"""The commands about attachments: what would go, what goes, and the table of references (R66)."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.wire.envelope import Operation
from fieldpost_server.operations.collection import note_unused
from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import utc_now

KEPT, UNUSED = b"in a record", b"in none"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.passes("collect-command-half-done")
def test_a_dry_run_names_what_a_run_deletes(
    office: Any, command: Any, visit: Callable[..., Operation]
) -> None:
    """Nothing is deleted before somebody could look at it."""
    anna = office.device("anna", download=False)
    anna.upload(KEPT, "text/plain")
    anna.upload(UNUSED, "text/plain")
    told = {"sha256": digest(KEPT), "size": len(KEPT), "type": "text/plain", "name": "a.txt"}
    anna.push(anna.envelope(visit(report=told), attachments=(digest(KEPT),)))
    young = command("attachments", "collect", "--dry-run")
    nothing = command("attachments", "collect")
    forgotten = sa.delete(tables.unused_attachment)
    office.run(forgotten)
    office.database.write(lambda session: note_unused(session, utc_now() - timedelta(days=91)))
    old = command("attachments", "collect", "--dry-run")
    done = command("attachments", "collect")

    assert (0, f"{digest(UNUSED)}\t{len(UNUSED)}\tnow\tstays\n") == young
    assert "Deleted 0 attachments" in nothing[1]
    assert old[1].endswith("\tgoes\n")
    assert 1 == old[1].count("\n")
    assert (0, "Deleted 1 attachments that nothing refers to, and 0 old uploads.\n") == (
        done[0],
        done[1].splitlines()[-1] + "\n",
    )
    assert [(digest(KEPT),)] == office.rows(sa.select(tables.attachment.c.sha256))


@pytest.mark.passes("envelopes-half-noted")
@pytest.mark.passes("references-locked", on="postgresql")
def test_references_are_written_anew(
    office: Any, command: Any, visit: Callable[..., Operation]
) -> None:
    """Of rows and of open envelopes, as they were: for whoever doubts the table."""
    anna = office.device("anna", download=False)
    for content in (KEPT, UNUSED):
        anna.upload(content, "text/plain")
        told = {"sha256": digest(content), "size": len(content), "type": "text/plain", "name": "a"}
        score = 400 if content == UNUSED else 5
        anna.push(anna.envelope(visit(report=told, score=score), attachments=(digest(content),)))
    table = tables.attachment_reference
    every = sa.select(table).order_by(table.c.sha256)
    before = office.rows(every)
    office.run(sa.delete(table))
    done = command("attachments", "rebuild")
    office.run(sa.delete(table))
    command("db", "install")

    words = "Noted 1 references of rows, and the files of 1 open envelopes.\n"
    assert (0, words) == done
    assert 2 == len(before)
    # the triggers are right, so installing looks at envelopes only
    assert [row for row in before if row[1] == "fieldpost_envelope"] == office.rows(every)
    command("attachments", "rebuild")
    assert before == office.rows(every)
