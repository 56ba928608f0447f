"""What a form shows: its rows with their controls, child lists, problems and choices."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, Problem, join_path
from fieldpost.odp.form.posted_moments import UNFINISHED, as_held
from fieldpost.odp.form.rows import Row, new_row
from fieldpost.odp.replay.links import Links
from fieldpost.pages import Form, FormList
from fieldpost.schema.fields import ATTACHMENT_KINDS, PICTURE_KINDS, Choice, Field, Kind
from fieldpost.schema.models import Model
from fieldpost.schema.validation import fills_itself, read_text
from fieldpost.schema.value_words import words_for
from fieldpost.schema.values import MOST_ATTACHMENTS, ValueProblem
from fieldpost.text import jsontext
from fieldpost.text.characters import visible
from fieldpost.types import Attachment
from fieldpost.web.display.conflict_sides import NONE, Marks, RowRemark, Version
from fieldpost.web.display.envelope_contents import ValueWords
from fieldpost.web.display.linked_rows import MOST_BOXES, Boxes, boxes, titles
from fieldpost.web.display.values import element_id
from fieldpost.web.forms.inputs import input_type, keypad, needs_lines, parted
from fieldpost.web.framework.requests import PageRequest
from fieldpost.web.lists.list_pages import search_words
from fieldpost.wire.limits import Limits
from fieldpost.wording.titles import NOT_HERE

MOST_CHOICES = 500
"""Rows of a lookup that are offered at once; beyond that the form has a search for them."""

MOST_REPEATED = 20
"""Rows of a lookup that each child row offers; beyond that they stand once in the form."""


class Control:
    """One field of a row, ready to be shown."""

    def __init__(self, view: "FormView", field: Field, row: Row) -> None:
        self.view = view
        self.field = field
        self.path = join_path(row.at, field.name)
        self.text = row.texts.get(field.name, "")
        self.problems = view.problems_at(self.path)
        self.is_unfinished = self.text == UNFINISHED
        if self.is_unfinished and not self.problems:
            # a draft that comes back: what was half typed is gone, the word for it stays
            _, fault = read_text(field, self.text, self.path)
            self.problems = [fault] if fault else []
        if any(p.code is Code.NOT_TEXT for p in self.problems):
            self.text = visible(self.text)
        self.is_required = field.required and not (row.key is None and fills_itself(field))
        self.is_repeated = bool(row.at)
        self.is_fixed = field.read_only or (
            row.key is not None and field.attribute in view.keys_of(row)
        )

    @property
    def input_type(self) -> str:
        """The kind of input that can hold the text."""
        return input_type(self.field, self.input_text)

    @property
    def input_text(self) -> str:
        """What the input itself holds."""
        text = as_held(self.field, self.text)
        return "" if self.is_unfinished else parted(self.field, text)[0]

    @property
    def hours(self) -> list[Choice]:
        """The hours that a moment may be, where clocks repeat one."""
        return parted(self.field, self.text)[1]

    @property
    def hour(self) -> str:
        """Which of them it is."""
        return parted(self.field, self.text)[2]

    @property
    def keypad(self) -> str:
        """The `inputmode` of a number."""
        return keypad(self.field)

    @property
    def has_lines(self) -> bool:
        """Whether the text is for several lines."""
        return needs_lines(self.field, self.text)

    @property
    def may_be_unanswered(self) -> bool:
        """Whether a yes or no may also be neither."""
        return self.field.kind is Kind.YES_NO and self.field.column.nullable is True

    @property
    def words(self) -> str:
        """The value in words, for a field that is not filled in."""
        if self.field.kind is Kind.LOOKUP:
            return next((c.label for c in self.choices if c.value == self.text), self.text)
        if self.field.kind is Kind.LINKS:
            return titles(self.view.links, self.field, self.text)
        try:
            return words_for(self.field, self.field.codec.from_text(self.text))
        except ValueProblem:
            return self.text

    @property
    def attachments(self) -> list[Attachment]:
        """The attachments that the field holds."""
        try:
            value = self.field.codec.from_text(self.text) if self.text else []
        except ValueProblem:
            return []
        return value if isinstance(value, list) else [value]

    @property
    def limits(self) -> Limits:
        """What the server takes of files."""
        return self.view.asked.home.limits

    @property
    def most_attachments(self) -> int:
        """How many pictures or files the field may hold."""
        return MOST_ATTACHMENTS if self.field.kind is Kind.PHOTOS else 1

    @property
    def choices(self) -> Sequence[Choice]:
        """What can be chosen."""
        found: Sequence[Choice] = self.field.choices
        if self.field.kind is Kind.LOOKUP:
            every = not self.is_fixed and not self.is_searched and not self.shared
            found = self.view.lookup_choices(self.field, self.text, self.path, every=every)
        if not self.text or self.text in {c.value for c in found}:
            return found
        # a browser would choose another one for what is not among them
        return [Choice(self.text, self.text), *found]

    @cached_property
    def shared(self) -> str:
        """The id of the list of choices that this control shares with others, if it does."""
        if self.field.kind is not Kind.LOOKUP or self.is_fixed or not self.is_repeated:
            return ""
        if not MOST_REPEATED < self.view.count(self.field) <= MOST_CHOICES:
            return ""
        return self.view.share(self.field)

    @cached_property
    def boxes(self) -> Boxes:
        """What can be ticked."""
        searched = self.is_searched
        return boxes(self.view.links, self.field, self.text, self.search, searched=searched)

    @property
    def is_searched(self) -> bool:
        """Whether there are more rows to choose from than are offered."""
        most = {Kind.LOOKUP: MOST_CHOICES, Kind.LINKS: MOST_BOXES}.get(self.field.kind)
        return most is not None and self.view.count(self.field) > most

    @property
    def search(self) -> str:
        """What was searched for."""
        return self.view.finds.get(self.path, "")

    @property
    def versions(self) -> Sequence[Version]:
        """The values that a repair offers; none where nobody has to decide."""
        return self.view.marks.versions(self.path, self.text)

    @property
    def before(self) -> ValueWords | None:
        """In a repair, what it was before the worker alone changed it."""
        return self.view.marks.before(self.path)


class Part:
    """A control or a child list, in the order of the form."""

    def __init__(self, control: Control | None = None, children: "ListView | None" = None) -> None:
        self.control = control
        self.children = children


class RowView:
    """A row with its parts."""

    def __init__(self, view: "FormView", form: Form, row: Row) -> None:
        self.row = row
        self.at = row.at
        self.key = json.dumps(row.key) if row.key is not None else ""
        self.new_key = json.dumps(row.new_key) if row.new_key is not None else ""
        self.remark: RowRemark | None = view.marks.remarks.get(row.at)
        view.note_keys(row, form)
        self.parts = list(self._parts(view, form, row))
        self.problems = view.problems_at(row.at) if row.at else []

    def _parts(self, view: "FormView", form: Form, row: Row) -> Iterator[Part]:
        for name in form.order:
            if name in form.fields:
                yield Part(control=Control(view, form.fields[name], row))
            else:
                yield Part(children=ListView(view, form.lists[name], row))


class ListView:
    """A child list with its rows."""

    def __init__(self, view: "FormView", child: FormList, row: Row) -> None:
        self.place = join_path(row.at, child.name)
        self.label = child.label
        self.title = child.title
        self.rows = [RowView(view, child.form, each) for each in row.lists.get(child.name, ())]
        self.problems = view.problems_at(self.place)


class FormView:
    """A whole form, ready to be shown."""

    def __init__(
        self,
        asked: PageRequest,
        session: Session,
        form: Form,
        row: Row,
        problems: Sequence[Problem],
        finds: Mapping[str, str],
        marks: Marks = NONE,
    ) -> None:
        self.asked = asked
        self.marks = marks
        self.session = session
        self.finds = finds
        self.links = Links(session, asked.home.app, asked.user)
        self.all_problems = list(problems)
        self._choices: dict[tuple[str, str], list[Choice]] = {}
        self._counts: dict[str, int] = {}
        self._shared: dict[str, Field] = {}
        self._keys: dict[int, frozenset[str]] = {}
        self.top = RowView(self, form, row)

    def problems_at(self, path: str) -> list[Problem]:
        """Return the problems at one place."""
        return [p for p in self.all_problems if p.path == path]

    def note_keys(self, row: Row, form: Form) -> None:
        """Remember which attributes of a row are its key."""
        self._keys[id(row)] = frozenset(form.model.key)

    def keys_of(self, row: Row) -> frozenset[str]:
        """Return the attributes of a row's key."""
        return self._keys[id(row)]

    def count(self, field: Field) -> int:
        """Return how many rows there are to choose from."""
        target = self.asked.home.app.models.get(field.target or "")
        if target is None:
            return 0
        if target.name not in self._counts:
            query = (
                sa.select(sa.func.count()).select_from(target.cls).where(*self.links.seen(target))
            )
            self._counts[target.name] = self.session.scalar(query) or 0
        return self._counts[target.name]

    def lookup_choices(
        self, field: Field, text: str, path: str, *, every: bool = True
    ) -> list[Choice]:
        """Return rows that a lookup may point to, the chosen one always among them.

        Args:
            field: the lookup.
            text: what it holds.
            path: its place, for what was searched for there.
            every: offer all of them where nothing was searched for.
        """
        target = self.asked.home.app.models.get(field.target or "")
        if target is None or len(target.key) != 1:
            return []
        words = self.finds.get(path, "")
        found = list(self._offered(target, words)) if every or words.split() else []
        if text and text not in {c.value for c in found}:
            found[:0] = self._chosen(field, target, text)
        return found

    def share(self, field: Field) -> str:
        """Return the id of the list of a lookup's choices, which stands in the form once."""
        self._shared.setdefault(f"options-{element_id(str(field.target))}", field)
        return f"options-{element_id(str(field.target))}"

    @property
    def shared(self) -> dict[str, Sequence[Choice]]:
        """Lists of choices that controls share, by id: ask when all controls are shown."""
        return {name: self.lookup_choices(f, "", "") for name, f in self._shared.items()}

    def _offered(self, target: Model, words: str) -> list[Choice]:
        if (target.name, words) not in self._choices:
            text = target.by_attribute[target.key[0]].codec.to_text
            found = self.links.titles.matching(target, words, MOST_CHOICES)
            self._choices[target.name, words] = [
                Choice(text(key[0]), title) for key, title in found
            ]
        return self._choices[target.name, words]

    def _chosen(self, field: Field, target: Model, text: str) -> list[Choice]:
        try:
            key = (field.codec.from_text(text),)
        except ValueProblem:
            return []
        title = self.links.titles.of(target, key).get(key[0], NOT_HERE)
        return [Choice(text, title)]


def add_row(form: Form, row: Row, place: str) -> str:
    """Add an empty row to the child list at a place; returns the new row's place."""
    match = re.fullmatch(r"(\w+)(?:\[(\d+)\]\.(.+))?", place)
    if match is None or match[1] not in form.lists:
        return ""
    child = form.lists[match[1]]
    rows = row.lists.setdefault(child.name, [])
    if match[2] is not None:
        wanted = f"{join_path(row.at, child.name)}[{match[2]}]"
        below = next((r for r in rows if r.at == wanted), None)
        return add_row(child.form, below, match[3]) if below is not None else ""
    taken = [int(r.at.rsplit("[", 1)[1][:-1]) for r in rows]
    rows.append(
        new_row(child.form, f"{join_path(row.at, child.name)}[{max(taken, default=-1) + 1}]")
    )
    return rows[-1].at


def find_words(posted: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return what rows were searched for, by the path of the field."""
    return {
        n.removesuffix(".find"): search_words(v) for n, v in posted if n.endswith(".find") and v
    }


def with_uploads(asked: PageRequest, form: Form) -> list[tuple[str, str]]:
    """Keep files that came within the form, and put their references in their fields' place."""
    posted = list(asked.posted)
    values = dict(posted)
    for name, files in asked.uploads.items():
        path = name.removesuffix(".file")
        kind = _kind_at(form, path)
        keep, is_picture = asked.home.keep_upload, kind in PICTURE_KINDS
        kept = [keep(each, asked.user, is_picture=is_picture).to_json() for each in files]
        if kind is not Kind.PHOTOS:
            posted.append((path, json.dumps(kept[-1])))
        elif (before := _listed(values.get(path, ""))) is not None:
            posted.append((path, json.dumps([*before, *kept])))
    return posted


def _listed(text: str) -> list[Any] | None:
    """Return what a field of several files holds; None where it is no list: the field says so."""
    try:
        found = jsontext.parse(text or "[]")
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _kind_at(form: Form, path: str) -> Kind | None:
    """Return what a field of files holds, found by its path; None where there is none."""
    for name in re.sub(r"\[\d+\]", "", path).split("."):
        if name in form.lists:
            form = form.lists[name].form
        elif name in form.fields and form.fields[name].kind in ATTACHMENT_KINDS:
            return form.fields[name].kind
    return None
