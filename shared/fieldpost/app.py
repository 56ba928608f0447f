"""An app: models, pages and rules under one name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, configure_mappers

from fieldpost.definition.constraint_faults import constraint_faults
from fieldpost.definition.scopes import scope_faults
from fieldpost.errors import Code, DefinitionError, NotFound, problem
from fieldpost.pages import Changes, Form, FormBuilder, Page
from fieldpost.pins import Pin
from fieldpost.schema.associations import LinkTable
from fieldpost.schema.fields import Kind
from fieldpost.schema.models import Model, models_of, table_of
from fieldpost.schema.validation import has_default
from fieldpost.text.collation import order_of
from fieldpost.users import ADMIN, OFFLINE, SUPERVISOR, User

FILES = ("**/*.py", "**/templates/**/*.html")
"""Files of an app's package that devices get where it lists none."""
_SHORTEST_LOCK = timedelta(hours=1)

_LIST_FIELDS = 4
"""Fields of a list whose page names none."""


class App:
    """What an author describes: models, pages and rules under one name.

    Attributes:
        title: the words for it.
        name: its name in envelopes.
        base: the declarative base of its models.
        pages: its pages by name, in the author's order.
        roles: the roles that can be given: `Offline`, `Supervisor`, `Admin` and the app's own.
        language: of the words in its rows, as in 'sv' or 'de-CH': it says in which order lists and
            choices put them.
        renamed: former names of tables, pages and fields to their present ones, such as
            ``{"exam": "inspection", "inspection.points": "inspection.score"}``: envelopes that a
            device saved before an update are read with it.
        files: which files of its package devices get, as patterns relative to it; `FILES`, its
            modules and the pages in its folders `templates`, where it lists none. ``*`` is any
            name, ``**`` any folders, and neither is one with a leading dot. Folders and modules
            named `server`, tests and machine code stay where they are; what may be a secret, such
            as a key or a database, stops the server.
        lock_after: for how long a device shows its data without contact with the office; then it is
            locked until its user has signed in, with a connection. None, as usual: for ever.
        pin: devices keep everything encrypted, and a PIN opens it. None, as usual: they do not, and
            the device's own lock is what keeps others out.
    """

    def __init__(  # noqa: PLR0913 - an app is described in one place, by names
        self,
        title: str,
        base: type[DeclarativeBase],
        pages: Sequence[Page],
        *,
        name: str = "",
        roles: Sequence[str] = (),
        renamed: Mapping[str, str] | None = None,
        language: str = "",
        files: Sequence[str] = FILES,
        lock_after: timedelta | None = None,
        pin: Pin | None = None,
    ) -> None:
        """Check the description and resolve it.

        Raises:
            DefinitionError: something of it cannot work; all faults at once.
        """
        self.title = title
        self.name = name or re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        self.base = base
        # for the packages of Fieldpost: all models and link tables by the names of their tables
        self.models: dict[str, Model] = _models(title, base)
        links = (f.association for m in self.models.values() for f in m.links.values())
        self.link_tables = {how.link.name: how.link for how in links if how is not None}
        self.roles = tuple(dict.fromkeys((OFFLINE, SUPERVISOR, ADMIN, *roles)))
        self.renamed = dict(renamed or {})
        self.language = language
        self.files = (files,) if isinstance(files, str) else tuple(files)
        self.lock_after = lock_after
        self.pin = pin
        self.order = order_of(language)
        for model in self.models.values():
            model.collation = self.order
        self.pages: dict[str, Page] = {}
        faults: list[str] = []
        for page in pages:
            faults += self._add(page)
        faults += self._misnamed()
        faults += self._unfit_for_devices()
        faults += [text for model in self.models.values() for text in constraint_faults(model)]
        if faults:
            raise DefinitionError(problem(Code.DEFINITION, title, text=text) for text in faults)

    def page(self, name: str) -> Page:
        """Internal: return a page by name; raises `NotFound`."""
        try:
            return self.pages[name]
        except KeyError:
            raise NotFound([problem(Code.UNKNOWN_PAGE, page=name)]) from None

    def present_page(self, name: str) -> Page | None:
        """Internal: return a page by a name that it has or had; None where it is gone."""
        return self.pages.get(name) or self.pages.get(self.renamed.get(name, ""))

    def pages_for(self, user: User) -> list[Page]:
        """Internal: return the pages that the user may open."""
        return [page for page in self.pages.values() if page.may_open(user)]

    @cached_property
    def tables(self) -> dict[str, Model | LinkTable]:
        """Internal: all tables whose rows a device may have, by name."""
        return {**self.models, **self.link_tables}

    def page_of(self, model: str) -> Page | None:
        """Internal: return the first page over a model."""
        return next((p for p in self.pages.values() if p.spec.name == model), None)

    def model_of(self, cls: type) -> Model:
        """Internal: return the description of a mapped class."""
        return self.models[cls.__table__.name]  # type: ignore[attr-defined]  # mapped by contract

    def _misnamed(self) -> Iterator[str]:
        """Name what `renamed` leads to and is not there."""
        for old, new in self.renamed.items():
            table, _, attribute = new.partition(".")
            if attribute:
                known = table in self.models and attribute in self.models[table].by_attribute
            else:
                known = new in self.models or new in self.pages
            if not known or ("." in old) != bool(attribute):
                yield f"'{old}' is said to be renamed to '{new}', which the app does not have."

    def _unfit_for_devices(self) -> Iterator[str]:
        """Name what is said of devices and cannot work there."""
        for pattern in self.files:
            if not _is_pattern(pattern):
                yield (
                    f"App(files=…) lists '{pattern}', which is no pattern of files inside the "
                    "package. Write it as in 'words/*.json'."
                )
        if self.lock_after is not None and self.lock_after < _SHORTEST_LOCK:
            yield "'lock_after' must be at least an hour: syncs are not more frequent."
        if self.pin is not None:
            yield from self.pin.faults()

    def _add(self, page: Page) -> list[str]:
        table = table_of(sa.inspect(page.model)).name
        if table not in self.models:
            return [f"{page.model.__name__} does not belong to the app's declarative base."]
        if self.models[table].cls is not page.model:
            return [f"{page.model.__name__} does not belong to the app's declarative base."]
        if page.name in self.pages:
            return [f"Two pages have the name '{page.name}'. Give one of them a name of its own."]
        page.spec = self.models[table]
        if not page.spec.key:
            return [f"{page.model.__name__} has no primary key."]
        builder = FormBuilder(self.models)
        page.layout = builder.build(page.spec, page.form)
        wanted = (
            page.list or [n for n in page.layout.order if n in page.layout.fields][:_LIST_FIELDS]
        )
        found = (builder.field(page.spec, name) for name in wanted)
        page.columns = tuple(f for f in found if f is not None)
        for name in page.sort:
            builder.field(page.spec, name.removeprefix("-"))
        if page.create:
            builder.faults += [text for form in page.layout.forms() for text in _unfilled(form)]
        if page.changes not in set(Changes):
            known = ", ".join(Changes)
            builder.faults.append(
                f"The page '{page.name}' has changes='{page.changes}'. Choose one of: {known}."
            )
        if page.scope is not None:
            builder.faults += scope_faults(page.name, page.scope, page.spec.table, self.roles)
        unknown = set(page.roles or ()) - set(self.roles)
        builder.faults += [
            f"The page '{page.name}' names the role '{role}', which the app does "
            "not have. Add it to the app's roles."
            for role in sorted(unknown)
        ]
        self.pages[page.name] = page
        return builder.faults


def _is_pattern(text: str) -> bool:
    """Say whether a pattern stays inside of a folder, and means the same on every machine."""
    parts = text.split("/")
    strange = "\\" in text or ":" in text or any(part in ("", ".", "..") for part in parts)
    return not strange and parts[-1] != "**" and all("**" not in p or p == "**" for p in parts)


def _models(title: str, base: type[DeclarativeBase]) -> dict[str, Model]:
    try:
        configure_mappers()
        # also sorts the tables, so that foreign keys which lead nowhere show here
        return models_of(base)
    except SQLAlchemyError as error:
        text = f"The models do not fit together: {str(error).splitlines()[0]}"
        raise DefinitionError([problem(Code.DEFINITION, title, text=text)]) from error


def _unfilled(form: Form) -> list[str]:
    """Name the columns that nothing would fill in when a row is added through the form."""
    model = form.model
    shown = {f.attribute for f in form.fields.values() if not f.read_only}
    faults = []
    for field in model.fields.values():
        attribute = field.attribute
        by_itself = has_default(field) or attribute in (model.generated_key, *form.linked)
        is_id = attribute in model.key and field.kind is Kind.ID
        if field.required and attribute not in shown and not by_itself and not is_id:
            faults.append(
                f"{model.cls.__name__}.{attribute} must have a value, but the form does not show "
                "it and it has no default. Add it to the form, give it a default, or set "
                "create=False."
            )
    for attribute, column in model.opaque.items():
        by_itself = column.default is not None or column.server_default is not None
        if not (column.nullable or by_itself or attribute in model.key):
            faults.append(
                f"{model.cls.__name__}.{attribute} must have a value, and no form holds its type "
                f"{type(column.type).__name__}. Let it be empty, give it a default, or set "
                "create=False."
            )
    return faults
