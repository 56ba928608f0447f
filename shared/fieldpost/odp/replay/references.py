"""References: rows that an envelope's rows point to, looked for before the database does."""

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.odp.replay.access import Place
from fieldpost.odp.replay.integrity import missing_parents
from fieldpost.odp.replay.links import Links
from fieldpost.odp.replay.statements import find
from fieldpost.schema.models import Key, Model
from fieldpost.wire.envelope import Operation


class References:
    """Says in words that a chosen row is gone; of one that the user may not see it says the same.

    Args:
        session: of the replay.
        app: whose models point to each other.
        eyes: tells which rows she may see, and, where she repairs the work of another, which rows
            that one may see: what a worker chose stays chosen.
    """

    def __init__(self, session: Session, app: App, *eyes: Links) -> None:
        self.session = session
        self.models = app.models
        self.eyes = eyes
        self._there: dict[tuple[str, Any], Any] = {}

    def missing(
        self, operation: Operation, place: Place, attribute: str, value: Any
    ) -> Iterator[Problem]:
        """Yield a problem where an attribute holds the key of a row that is not there for her.

        Whether the record above a child row is hers is asked of the whole record, afterwards.
        """
        model = place.form.model
        target = self.models.get(model.references.get(attribute, ""))
        if value is None or target is None or len(target.key) != 1:
            return
        if (target.name, value) in self._there:
            return  # twenty child rows point to one parent
        is_above = attribute in place.form.linked
        row = find(self.session, target, (value,))
        if row is not None and (is_above or self._is_seen(target, row, (value,))):
            # held on to: the session would forget it, and rules that look at it read it again
            self._there[target.name, value] = row
            return
        new = self.session.new
        if any(type(r) is target.cls and target.key_of(r) == (value,) for r in new):
            return  # a row of this very form, whose key is real from the start
        each = model.by_attribute[attribute]
        yield problem(Code.NO_SUCH_ROW, join_path(operation.at, each.name), label=each.label)

    def _is_seen(self, target: Model, row: Any, key: Key) -> bool:
        if not sa.inspect(row).persistent:
            return True  # a row of this very form
        return any(
            not links.seen(target) or key in links.existing_keys(target, [key])
            for links in self.eyes
        )

    def missing_above(
        self, operation: Operation, place: Place, row: Any, changed: Collection[str]
    ) -> Iterator[Problem]:
        """Yield a problem for each key of several parts that points to no row for her."""
        model, linked = place.form.model, place.form.linked

        def is_seen(name: str, attributes: Collection[str], found: Any) -> bool:
            target = self.models[name]
            return linked.issuperset(attributes) or self._is_seen(
                target, found, target.key_of(found)
            )

        for each in missing_parents(self.session, model, row, changed, is_seen):
            path = join_path(operation.at, each.name)
            yield problem(Code.NO_SUCH_ROW, path, label=each.label)
