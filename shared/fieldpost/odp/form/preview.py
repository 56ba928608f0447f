"""Rules on a form that is not right yet, so that all its problems are shown at once.

Values that cannot be read stand as None; a rule that cannot cope with that is left out. Nothing of
this reaches the database: the objects are never added to a session.
"""

from typing import Any

from sqlalchemy.orm.attributes import set_committed_value

from fieldpost.errors import Problem, join_path
from fieldpost.odp.form.rows import Opened, Row, is_untouched
from fieldpost.odp.replay.links import Links
from fieldpost.odp.replay.rule_run import rule_problems
from fieldpost.pages import Form
from fieldpost.schema.column_types import can_hold
from fieldpost.schema.fields import Kind
from fieldpost.schema.validation import read_text
from fieldpost.schema.values import ValueProblem


def preview_problems(
    links: Links, form: Form, row: Row, opened: Opened | None, known: list[Problem]
) -> list[Problem]:
    """Return what the rules say already, leaving out fields that have a problem of their own.

    A rule that looks at what a row points to finds nothing that the user may not see.
    """
    places: dict[int, tuple[Any, str, Form]] = {}
    with links.session.no_autoflush:
        _object(links, form, row, opened, places)
        found = list(rule_problems(places, patient=True))
    taken = {each.path for each in known}
    return [each for each in found if each.path not in taken]


def _object(
    links: Links,
    form: Form,
    row: Row,
    opened: Opened | None,
    places: dict[int, tuple[Any, str, Form]],
) -> Any:
    made = form.model.mapper.class_manager.new_instance()
    for each in form.model.fields.values():
        if each.kind is Kind.LINKS:
            continue
        set_committed_value(made, each.attribute, _value(form, row, opened, each.name))
    for relation in form.model.mapper.relationships:
        if relation.key in form.model.links:
            keys = _value(form, row, opened, relation.key) or []
            set_committed_value(made, relation.key, _linked(links, relation, keys))
        elif relation.key not in form.lists:
            empty: Any = [] if relation.uselist else _target(links, relation, made)
            set_committed_value(made, relation.key, empty)
    for name, child in form.lists.items():
        before = {repr(e["key"]): e for e in (opened or {}).get("children", {}).get(name, ())}
        rows = [r for r in row.lists.get(name, ()) if not r.deleted]
        below = [_object(links, child.form, r, before.get(repr(r.key)), places) for r in rows]
        set_committed_value(made, name, below)
        for each_child in below:
            _point_back(each_child, made, form.model.mapper.relationships[name])
    places[id(made)] = (made, row.at, form)
    return made


def _value(form: Form, row: Row, opened: Opened | None, name: str) -> Any:
    each = form.model.fields[name]
    before = (opened or {}).get("values", {}).get(each.attribute)
    is_shown = name in form.fields and name in row.texts
    if is_shown and (opened is None or not is_untouched(each, row.texts[name], before)):
        return read_text(each, row.texts[name], join_path(row.at, name))[0]
    try:
        return each.codec.decode(before)
    except ValueProblem:
        return None


def _target(links: Links, relation: Any, made: Any) -> Any:
    key = tuple(
        getattr(made, relation.parent.get_property_by_column(c).key) for c in relation.local_columns
    )
    if len(key) != 1 or key[0] is None:
        return None
    if not can_hold(next(iter(relation.local_columns)).type, key[0]):
        return None
    return next(iter(_seen(links, relation, [key])), None)


def _linked(links: Links, relation: Any, keys: list[Any]) -> Any:
    rows = _seen(links, relation, keys)
    return rows if relation.collection_class is None else relation.collection_class(rows)


def _seen(links: Links, relation: Any, keys: list[Any]) -> list[Any]:
    """Return the rows that a relationship points to, in the order of their keys."""
    target = links.app.model_of(relation.mapper.class_)
    seen = links.existing_keys(target, keys)
    return [links.session.get(target.cls, key) for key in keys if tuple(key) in seen]


def _point_back(child: Any, parent: Any, relation: Any) -> None:
    back = relation.back_populates
    if back:
        set_committed_value(child, back, parent)
