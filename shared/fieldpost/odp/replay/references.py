"""References: rows that an envelope's rows point to, looked for before the database does."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.odp.replay.integrity import missing_parents
from fieldpost.odp.replay.statements import find
from fieldpost.schema.models import Model
from fieldpost.wire.envelope import Operation


class References:
    """Says in words that a chosen row is gone.

    Args:
        session: of the replay.
        app: whose models point to each other.
    """

    def __init__(self, session: Session, app: App) -> None:
        self.session = session
        self.models = app.models
        self._there: dict[tuple[str, Any], Any] = {}

    def missing(
        self, operation: Operation, model: Model, attribute: str, value: Any
    ) -> Iterator[Problem]:
        """Yield a problem where an attribute holds the key of a row that is not there."""
        target = self.models.get(model.references.get(attribute, ""))
        if value is None or target is None or len(target.key) != 1:
            return
        if (target.name, value) in self._there:
            return  # twenty child rows point to one parent
        if (row := find(self.session, target, (value,))) is not None:
            # held on to: the session would forget it, and rules that look at it read it again
            self._there[target.name, value] = row
            return
        new = self.session.new
        if any(type(r) is target.cls and target.key_of(r) == (value,) for r in new):
            return  # a row of this very form, whose key is real from the start
        each = model.by_attribute[attribute]
        yield problem(Code.NO_SUCH_ROW, join_path(operation.at, each.name), label=each.label)

    def missing_above(
        self, operation: Operation, model: Model, row: Any, changed: Collection[str]
    ) -> Iterator[Problem]:
        """Yield a problem for each key of several parts that points to no row."""
        for each in missing_parents(self.session, model, row, changed):
            path = join_path(operation.at, each.name)
            yield problem(Code.NO_SUCH_ROW, path, label=each.label)
