"""Data pages: a list and a form over one model."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import ColumnProperty, DeclarativeBase, Mapper

from fieldpost.definition.scopes import Scope, scope_condition
from fieldpost.errors import Code, DefinitionError, problem
from fieldpost.schema.fields import Field, words
from fieldpost.schema.models import Link, Model, table_of
from fieldpost.text.plurals import plural, singular
from fieldpost.users import User


class Changes(StrEnum):
    """What happens when others changed a record that a worker saves.

    Attributes:
        MERGE: fields that only one side changed are merged; a field that both changed is a
            conflict.
        STRICT: any change of the record by others is a conflict.
        LAST_WINS: what is saved last stays, and the receipt records what it overwrote.
    """

    MERGE = "merge"
    STRICT = "strict"
    LAST_WINS = "last_wins"


@dataclass(frozen=True, slots=True)
class ChildList:
    """In a page's `form`: a child list with its own choice of fields.

    Attributes:
        name: the relationship.
        form: names of the child's fields and child lists, in order.
        label: the word for one row, as in the button 'Add …'.
    """

    name: str
    form: Sequence["str | ChildList"]
    label: str | None = None


@dataclass(frozen=True, slots=True)
class FormList:
    """Internal: a child list of a form, resolved."""

    name: str
    label: str
    title: str
    link: Link
    form: "Form"


@dataclass(frozen=True, slots=True)
class Form:
    """Internal: the fields and child lists of a form over one model, resolved.

    Attributes:
        model: whose rows it edits.
        order: names of fields and lists as they are shown.
        fields: by name.
        lists: by name.
        linked: attributes that the list fills in, because they point to the parent row.
    """

    model: Model
    order: tuple[str, ...]
    fields: dict[str, Field]
    lists: dict[str, FormList]
    linked: frozenset[str] = frozenset()

    def forms(self) -> Iterator["Form"]:
        """Yield this form and those of all its child lists, outermost first."""
        yield self
        for child in self.lists.values():
            yield from child.form.forms()


@dataclass
class Page:
    """A page as the author writes it.

    Attributes:
        model: the mapped class.
        offline: whether field workers have it on their devices, unless the designer says otherwise.
        scope: which rows a user may see; all where it is None.
        list: names of the list's fields; the first few fields where it is empty.
        form: names of the form's fields and child lists; all of them where it is empty.
        sort: names to sort by, with ``-`` in front for descending.
        read_only: nobody writes through this page.
        create, edit, delete: what may be done through it.
        changes: what happens when others changed a record meanwhile; see `Changes`.
        roles: who may open it: users with one of these roles; everybody where it is None.
        name: its name in addresses and envelopes; the table's name by default.
        title: the words for it.
    """

    model: type[DeclarativeBase]
    offline: bool = False
    scope: Scope | None = None
    list: Sequence[str] = ()
    form: Sequence[str | ChildList] = ()
    sort: Sequence[str] = ()
    read_only: bool = False
    create: bool = True
    edit: bool = True
    delete: bool = True
    changes: Changes | str = Changes.MERGE
    roles: Sequence[str] | None = None
    name: str = ""
    title: str = ""
    # filled in by the app
    spec: Model = field(init=False, repr=False)
    layout: Form = field(init=False, repr=False)
    columns: tuple[Field, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        """Derive the name and the title, and take the rights from a read-only page."""
        mapper: Any = sa.inspect(self.model, raiseerr=False)
        if not isinstance(mapper, Mapper):
            text = f"Page({self.model!r}) needs a mapped class, one of the app's models."
            raise DefinitionError([problem(Code.DEFINITION, "pages", text=text)])
        table = table_of(mapper).name
        self.name = self.name or re.sub(r"[^a-z0-9]+", "-", table.lower()).strip("-")
        self.title = self.title or plural(singular(words(self.model.__name__)))
        if self.read_only:
            self.create = self.edit = self.delete = False

    def may_open(self, user: User) -> bool:
        """Internal: say whether the user may open this page at all."""
        return self.roles is None or bool(user.roles.intersection(self.roles))

    def condition(self, user: User) -> sa.ColumnElement[bool] | None:
        """Internal: return the user's scope as an SQL condition; None means every row.

        Raises:
            ScopeFailed: the scope gives none: nothing may be shown then.
        """
        return None if self.scope is None else scope_condition(self.name, self.scope, user)

    def may(self, do: str) -> bool:
        """Internal: say whether the page allows to 'insert', 'update' or 'delete' its records."""
        return {"insert": self.create, "update": self.edit, "delete": self.delete}[do]


def _no_field(model: Model, name: str) -> str:
    """Say why a name is no field, and what to do."""
    known, cls = ", ".join([*model.fields, *model.children]), model.cls.__name__
    if name in model.opaque:
        kind = type(model.opaque[name].type).__name__
        return (
            f"{cls}.{name} is a column of the type {kind}, which no form or list holds. "
            "Leave it out, or give it another type."
        )
    if "." in name:
        return (
            f"{cls} has no field '{name}': a page shows what belongs to its own rows. Name the "
            f"relationship, and let its class say in `__str__` what is shown. It has: {known}."
        )
    written = sa.inspect(model.cls).all_orm_descriptors.get(name, getattr(model.cls, name, None))
    computed = isinstance(written, property | hybrid_property) or name in model.mapper.synonyms
    if computed or isinstance(getattr(written, "property", None), ColumnProperty):
        return (
            f"{cls}.{name} is computed, and a page shows what is stored, to search and sort "
            f"it alike everywhere. Store it in a column, or leave it out. It has: {known}."
        )
    return f"{cls} has no field '{name}'. It has: {known}."


class FormBuilder:
    """Internal: resolves the names of a form against the models, and collects what is wrong."""

    def __init__(self, models: dict[str, Model]) -> None:
        self.models = models
        self.faults: list[str] = []

    def build(
        self, model: Model, wanted: Sequence[str | ChildList], above: tuple[str, ...] = ()
    ) -> Form:
        """Return the form over `model`; `above` holds the models around it."""
        hidden = set() if not above else self._links_to(model, above[-1])
        entries = wanted or self._everything(model, (*above, model.name), hidden)
        linked = frozenset(hidden)
        form = Form(
            model, tuple(e if isinstance(e, str) else e.name for e in entries), {}, {}, linked
        )
        for entry in entries:
            name = entry if isinstance(entry, str) else entry.name
            if name in model.children:
                form.lists[name] = self._list(model, entry, (*above, model.name))
            elif (found := self._field(model, name)) is not None:
                form.fields[found.name] = found
        order = tuple(
            n
            for n in map(self._canonical(model), form.order)
            if n in form.fields or n in form.lists
        )
        return Form(model, order, form.fields, form.lists, linked)

    def field(self, model: Model, name: str) -> Field | None:
        """Find a field by its name or its attribute, and note it where there is none."""
        return self._field(model, name)

    def _canonical(self, model: Model) -> Callable[[str], str]:
        return lambda n: model.by_attribute[n].name if n in model.by_attribute else n

    def _field(self, model: Model, name: str) -> Field | None:
        found = model.fields.get(name) or model.by_attribute.get(name)
        if found is None and name in model.unlinkable:
            self.faults.append(model.unlinkable[name])
        elif found is None:
            self.faults.append(_no_field(model, name))
        elif found.private:
            self.faults.append(f"{model.cls.__name__}.{name} is private and cannot be in a form.")
            return None
        return found

    def _list(self, model: Model, entry: str | ChildList, above: tuple[str, ...]) -> FormList:
        children = model.children[entry if isinstance(entry, str) else entry.name]
        if not children.owned:
            self.faults.append(
                f"{model.cls.__name__}.{children.name} is a child list, so its rows must belong to "
                'their parent: give the relationship cascade="all, delete-orphan".'
            )
        wanted = () if isinstance(entry, str) else entry.form
        label = (None if isinstance(entry, str) else entry.label) or children.label
        form = self.build(self.models[children.model], wanted, above)
        return FormList(children.name, label, words(children.name), children.link, form)

    def _everything(
        self, model: Model, above: tuple[str, ...], hidden: set[str]
    ) -> Sequence[str | ChildList]:
        key = set(model.key) if model.generated_key or not above[:-1] else set()
        fields = [
            f.name
            for f in model.fields.values()
            if not f.private
            and f.attribute not in hidden
            and not (f.attribute in key and model.generated_key == f.attribute)
        ]
        lists = [c.name for c in model.children.values() if c.owned and c.model not in above]
        return [*fields, *lists]

    def _links_to(self, model: Model, parent: str) -> set[str]:
        for children in self.models[parent].children.values():
            if children.model == model.name:
                return {child for child, _ in children.link.pairs}
        return set()
