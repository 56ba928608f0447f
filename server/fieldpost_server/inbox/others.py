"""Who it was: names beside the conflicts of an envelope, as far as the ledger knows them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, Problem
from fieldpost.odp.replay.merge import is_same
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost.wire.receipts import APPLIED
from fieldpost_server.storage import tables

LOOKED_BACK = 200
"""So many of the newest envelopes of a page are looked through."""
LONGEST = 100_000
"""Characters of one that is looked through: of a name beside a conflict nobody's work depends."""
AT_ONCE = 10
"""So many are in memory at the same time."""

WHO = "who"
"""Name of the detail of a problem that tells it."""

_SOMEBODY = "by somebody else"
_ENVELOPE, _USER = tables.envelope, tables.user


def with_names(
    session: Session,
    app: App,
    envelope: Envelope,
    operations: Sequence[Operation],
    problems: Sequence[Problem],
) -> tuple[Problem, ...]:
    """Return problems in which whoever made the other change is named.

    She is named where an envelope that was applied did just that to the row: wrote the value that
    is there now, or deleted it. What other programs have written has no name.

    Args:
        session: within the transaction of the envelope.
        app: its app.
        envelope: that met the changes.
        operations: of it, with the names and keys of now.
        problems: of its replay.
    """
    if not any(each.code in _SOUGHT for each in problems):
        return tuple(problems)
    others = _Others(session, app, envelope, operations)
    return tuple(others.named(each) for each in problems)


_Row = tuple[str, tuple[Any, ...]]
"""A model and a key."""

_SOUGHT = frozenset({Code.CHANGED_BY_OTHERS, Code.DELETED_BY_OTHERS})


class _Others:
    """The newest envelopes of a page that were applied, with who saved them."""

    def __init__(
        self, session: Session, app: App, envelope: Envelope, operations: Sequence[Operation]
    ) -> None:
        self.app = app
        # the first at a place: a form has one row there
        self.by_place = {each.at: each for each in reversed(operations)}
        query = (
            sa.select(_ENVELOPE.c.content, _ENVELOPE.c.user, _USER.c.display_name)
            .select_from(_ENVELOPE.outerjoin(_USER, _USER.c.name == _ENVELOPE.c.user))
            .where(
                _ENVELOPE.c.page == envelope.page,
                _ENVELOPE.c.id != envelope.id,
                _ENVELOPE.c.outcome.in_([str(outcome) for outcome in APPLIED]),
                sa.func.length(_ENVELOPE.c.content) <= LONGEST,
            )
            .order_by(_ENVELOPE.c.received_at.desc())
            .limit(LOOKED_BACK)
        )
        # of each only what it did to these rows is kept: together they may be many megabytes
        self.done: dict[_Row, list[tuple[Any, str]]] = {
            (each.model, tuple(each.key)): [] for each in operations
        }
        for row in session.execute(query, execution_options={"yield_per": AT_ONCE}):
            for each in json.loads(row.content)["operations"]:
                if (found := self.done.get((each["model"], tuple(each["key"])))) is not None:
                    found.append((each, row.display_name or row.user))

    def named(self, fault: Problem) -> Problem:
        """Return a problem with the name, where it is known."""
        if fault.code not in _SOUGHT or (operation := self._operation(fault)) is None:
            return fault
        done = self.done[operation.model, tuple(operation.key)]
        names = (who for each, who in done if self._did(each, operation, fault))
        if (who := next(names, "")) == "":
            return fault
        words = fault.message.replace(_SOMEBODY, f"by {who}", 1)
        return replace(fault, message=words, detail={**fault.detail, WHO: who})

    def _operation(self, fault: Problem) -> Operation | None:
        """Return the operation that a problem is about: the one at the place of its path."""
        place = fault.path.rpartition(".")[0] if "theirs" in fault.detail else fault.path
        return self.by_place.get(place)

    def _did(self, done: Mapping[str, Any], operation: Operation, fault: Problem) -> bool:
        if fault.code is Code.DELETED_BY_OTHERS or done["do"] == "delete":
            return fault.code is Code.DELETED_BY_OTHERS and done["do"] == "delete"
        wrote = done.get("set") or {}
        if "theirs" not in fault.detail:
            return bool(wrote)  # it was to be deleted, and is another one by now
        field = self.app.models[operation.model].fields.get(fault.path.rpartition(".")[2])
        if field is None or field.attribute not in wrote:
            return False
        return is_same(field, fault.detail["theirs"], wrote)
