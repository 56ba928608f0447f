"""What must be true of an inspection, on the device and on the server alike.

A rule may meet a record that is not complete: it says nothing about values that are not there.
"""

from collections.abc import Iterator
from datetime import date

from fieldpost.rules import rule
from inspections.models import SEVERE, Finding, Inspection, Status

Verdict = tuple[str, str]


@rule(Inspection)
def closed_means_signed(inspection: Inspection) -> Iterator[Verdict]:
    """Refuse to close what nobody signed."""
    if inspection.status is Status.closed and not inspection.signature:
        yield "signature", "Sign the inspection before you close it, or leave its status at Open."


@rule(Inspection)
def site_is_open(inspection: Inspection) -> Iterator[Verdict]:
    """Refuse a visit before there was something to visit."""
    site = inspection.site
    if site and _precedes(inspection.inspected_on, site.opened_on):
        yield (
            "inspected_on",
            (
                f"{site.name} opened on {site.opened_on}. "
                "Enter a date on or after that day, or choose another site."
            ),
        )


@rule(Inspection)
def next_inspection_comes_later(inspection: Inspection) -> Iterator[Verdict]:
    """Refuse a next inspection that is due on the day of this one or before."""
    due = inspection.next_due_on
    if due is not None and not _precedes(inspection.inspected_on or date.min, due):
        yield (
            "next_due_on",
            (
                f"This inspection is of {inspection.inspected_on}. "
                "Enter a later day for the next one, or leave it empty."
            ),
        )


@rule(Finding)
def severe_means_photo(finding: Finding) -> Iterator[Verdict]:
    """Refuse a severe finding that nobody can see."""
    if (finding.severity or 0) >= SEVERE and not finding.photos:
        yield "photos", f"Add a photo: a finding of severity {SEVERE} or more needs one."


@rule(Finding)
def repair_comes_after_inspection(finding: Finding) -> Iterator[Verdict]:
    """Refuse a repair that was due before anybody knew of the fault."""
    inspection = finding.inspection
    if inspection and _precedes(finding.due_on, inspection.inspected_on):
        yield (
            "due_on",
            (
                f"The inspection is of {inspection.inspected_on}. "
                "Enter that day or a later one, or leave the date empty."
            ),
        )


def _precedes(first: date | None, second: date | None) -> bool:
    return first is not None and second is not None and first < second
