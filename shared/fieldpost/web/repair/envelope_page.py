"""One envelope to read: what it holds, what became of it, and what took its place."""

from collections.abc import Iterator
from dataclasses import dataclass

from starlette.responses import Response

from fieldpost.errors import Code, Problem
from fieldpost.home import Story
from fieldpost.odp.repair.pending_change import present_operations
from fieldpost.web.display.envelope_contents import Contents
from fieldpost.web.display.outcomes import OUTCOMES, settled_words
from fieldpost.web.framework.requests import PageRequest

_SAID_BY_THE_TRAIL = frozenset({Code.WAS_SUPERSEDED, Code.WAS_DISCARDED})


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an envelope's trail: words, moment, and the other envelope that is part of it."""

    words: str
    moment: str = ""
    other: str = ""


def entry_page(asked: PageRequest) -> Response:
    """Show an envelope with its trail."""
    story = asked.home.story(asked.user, asked.at["envelope"])
    page = asked.home.app.present_page(story.envelope.page)

    def real(model: str, temporary: int) -> int | None:
        return story.keys.get((model, temporary)) or asked.home.real_key(model, temporary)

    with asked.home.session() as session:
        contents = Contents(asked.home.app, session, asked.user, page)
        rows = contents.rows(present_operations(asked.home.app, story.envelope, real))
    is_desk = asked.path.startswith("/envelopes/")
    return asked.page(
        "entry.html",
        story=story,
        outcome=OUTCOMES[outcome_of(story)],
        rows=rows,
        trail=list(_trail(story)),
        problems=_problems(story),
        others="/envelopes/" if is_desk else "/entries/",
        overview="/envelopes" if is_desk else "/sync",
    )


def outcome_of(story: Story) -> str:
    """Return the key of `OUTCOMES` that says where an envelope stands."""
    receipt = story.receipt
    if story.envelope.voids is not None:
        return "void"
    if receipt is None:
        return ""
    return receipt.settled.how if receipt.settled else str(receipt.outcome)


def _problems(story: Story) -> list[Problem]:
    receipt = story.receipt
    if receipt is None or receipt.is_applied:
        return []
    return [p for p in receipt.problems if p.code not in _SAID_BY_THE_TRAIL]


def _trail(story: Story) -> Iterator[Step]:
    envelope, receipt = story.envelope, story.receipt
    yield Step(f"Saved by {envelope.user}", envelope.saved_at)
    for other in envelope.supersedes:
        yield Step("Repairs an earlier entry", other=other)
    if envelope.voids is not None:
        yield Step("Discards an entry", other=envelope.voids.id)
    if receipt is None:
        return
    if receipt.received_at:
        words = OUTCOMES[str(receipt.outcome)].name
        yield Step(f"Arrived at the office: {words[0].lower()}{words[1:]}", receipt.received_at)
    for note in receipt.notes:
        yield Step(note.message)
    if (settled := receipt.settled) is not None:
        yield Step(settled_words(settled), settled.at, settled.by)
