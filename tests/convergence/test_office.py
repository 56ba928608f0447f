"""What the stories stand on: one server for many of them, none of which knows of another."""

from typing import Any

import sqlalchemy as sa

from apps.errands import Memo
from convergence import acts
from convergence.office import Office
from convergence.worker import Worker
from fieldpost.odp.form.rows import Row
from fieldpost_server.storage import tables


def _worker(office: Office) -> Worker:
    return Worker(office, "ann", 1, lambda _: None)


def _write_memo(row: Row) -> None:
    row.texts |= {"mark": "m1", "text": "w1"}


def _is_proven(report: Any) -> bool:
    return (report["outcome"], report["unproven"], report["full"]) == ("done", [], False)


def test_nothing_of_an_earlier_story_is_believed(office: Office) -> None:
    """Digests that were counted two stories ago prove nothing of this one (R47)."""
    ann = _worker(office)
    ann.save(lambda: acts.add_record(ann.home, ann.user, "memo", _write_memo))
    assert _is_proven(ann.synchronise())
    assert len(office.rows(sa.select(Memo.id))) == 1
    ann.close()

    # nobody asks for ann's memos in the story between: the feed alone knows that they are gone
    office.empty()
    office.empty()
    assert office.rows(sa.select(tables.device.c.id)) == []

    ann = _worker(office)
    assert _is_proven(ann.synchronise())
    ann.close()
