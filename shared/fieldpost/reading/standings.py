"""Standings: where the rows of a model stand on pages, as records or below them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from fieldpost.app import App
from fieldpost.pages import Form, FormList, Page
from fieldpost.reading.title_parts import title_parts
from fieldpost.schema.fields import Kind
from fieldpost.schema.models import Link


@dataclass(frozen=True, eq=False)
class Standing:
    """One place of a model on a page: the page's own rows, or a child list of its form.

    Attributes:
        page: the page.
        form: the form over the rows.
        above: whose child rows they are; None for the page's own.
        link: how they point to those.
        columns: attributes that the page shows of them, or needs to show them: the key, what links
            them to the rows above and below, what their title is made of and what orders them.
    """

    page: Page
    form: Form
    above: "Standing | None"
    link: Link
    columns: frozenset[str]

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.form.model.name


@cache
def standings(app: App) -> tuple[Standing, ...]:
    """Return the standings of all models, parents before their child lists."""
    every = (_standings(app, page, page.layout, None, None) for page in app.pages.values())
    return tuple(each for found in every for each in found)


def _standings(
    app: App, page: Page, form: Form, child: FormList | None, above: Standing | None
) -> Iterator[Standing]:
    columns = _columns(app, page, form, above is None)
    if child is not None and above is not None:
        # the list stands in the order that its author gave it
        order = above.form.model.children[child.name].order or ()
        columns |= {attribute for attribute, _ in order}
    link = child.link if child is not None else Link(())
    made = Standing(page, form, above, link, columns & form.model.readable)
    yield made
    models = {form.model.name, *_models_above(above)}
    for each in form.lists.values():
        # rows below rows of the same model are records themselves: their page says whose they are
        if each.form.model.name not in models:
            yield from _standings(app, page, each.form, each, made)


def _models_above(standing: Standing | None) -> Iterator[str]:
    while standing is not None:
        yield standing.model
        standing = standing.above


def _columns(app: App, page: Page, form: Form, is_top: bool) -> frozenset[str]:
    model = form.model
    shown = [*form.fields.values()]
    # rows of the same model further below are the same rows
    shown += [f for each in form.forms() if each.model is model for f in each.fields.values()]
    found = {f.attribute for f in shown if f.kind is not Kind.LINKS}
    found |= {*model.key, *form.linked, *title_parts(app, model).own, *model.public}
    found |= {ours for each in form.lists.values() for _, ours in each.link.pairs}
    if is_top:
        found |= {f.attribute for f in page.columns if f.kind is not Kind.LINKS}
        named = (model.fields.get(n.removeprefix("-")) for n in page.sort)
        found |= {f.attribute for f in named if f is not None and f.kind is not Kind.LINKS}
        found |= {n.removeprefix("-") for n in page.sort}
    return frozenset(found)
