"""The rebase of an envelope that was made in another timeline than the present one.

Keys that its device has reported as lost stand for their rows again. Other counted keys may belong
to rows that were made since the database was put back: such a one is a conflict, whatever its
values are, for nobody but the worker knows whether it is the row that she means.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, Problem, problem
from fieldpost.odp.repair.remapped_keys import named_keys, renumbered, timeline_of
from fieldpost.odp.replay.result import Result
from fieldpost.wire.envelope import Envelope
from fieldpost.wire.receipts import APPLIED, Outcome
from fieldpost_server.restore.high_water_marks import young_keys
from fieldpost_server.restore.loss_reports import lost_keys
from fieldpost_server.restore.timelines import marks_since, present_timeline
from fieldpost_server.storage.web_devices import is_web


@dataclass(frozen=True, slots=True)
class Rebased:
    """An envelope as it is to be replayed now.

    Attributes:
        envelope: with temporary keys in the place of lost ones.
        doubts: conflicts with rows that may be others than the envelope means.
    """

    envelope: Envelope
    doubts: tuple[Problem, ...] = ()

    def with_doubts(self, result: Result) -> Result:
        """Return what a replay has come to, with the doubts; what waits has come to nothing yet."""
        if not self.doubts or result.outcome in (Outcome.WAITING, Outcome.FORBIDDEN):
            return result
        problems = () if result.outcome in APPLIED else result.problems
        return Result(Outcome.CONFLICT, (*self.doubts, *problems))


def is_current(envelope: Envelope, timeline: str) -> bool:
    """Say whether an envelope was made in the present timeline, or names none."""
    return not timeline or not envelope.base or envelope.base.startswith(f"f1.{timeline}.")


def rebase(session: Session, app: App, envelope: Envelope, timeline: str) -> Rebased:
    """Return an envelope as it is to be replayed; `timeline` is the present one."""
    if is_current(envelope, timeline) or is_web(envelope.device):
        return Rebased(envelope)
    former = timeline_of(envelope.base)
    if not former:
        return Rebased(envelope)
    lost, doubtful = lost_keys(session, envelope.device, former)
    renewed = renumbered(app, envelope, lost)
    return Rebased(renewed, tuple(_doubts(session, app, renewed, former, doubtful)))


def in_present_numbers(
    session: Session, app: App, envelopes: Iterable[Envelope]
) -> Iterator[Envelope]:
    """Yield envelopes with temporary keys for lost ones, for people who look at them."""
    timeline = present_timeline(session)
    for envelope in envelopes:
        yield _renumbered(session, app, envelope, timeline)


def _renumbered(session: Session, app: App, envelope: Envelope, timeline: str) -> Envelope:
    if is_current(envelope, timeline) or is_web(envelope.device):
        return envelope
    lost, _ = lost_keys(session, envelope.device, timeline_of(envelope.base))
    return renumbered(app, envelope, lost)


def _doubts(
    session: Session, app: App, envelope: Envelope, timeline: str, doubtful: set[tuple[str, int]]
) -> Iterator[Problem]:
    named = list(named_keys(app, envelope))
    keys: dict[str, set[int]] = {}
    for each in named:
        keys.setdefault(each.model, set()).add(each.key)
    marks = marks_since(session, timeline) or {}
    young = {
        name: young_keys(session, app.models[name].table, some, marks.get(name, -1))
        for name, some in keys.items()
    }
    told = set[str]()
    for each in named:
        is_young = each.key in young[each.model] or (each.model, each.key) in doubtful
        if is_young and each.path not in told:
            told.add(each.path)
            yield problem(Code.MADE_SINCE, each.path, label=app.models[each.model].label)
