"""The app: which pages there are, who sees what, and what works without a signal."""

import sqlalchemy as sa

# imported for what they register
import inspections.rules  # noqa: F401
from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.users import User
from inspections.models import Base, Contractor, Inspection, Site


def own_inspections(user: User) -> sa.ColumnElement[bool]:
    """Give field workers their own inspections, and the office all of them."""
    return Inspection.assignee == user.name if user.is_field_worker else sa.true()


app = App(
    "Site inspections",
    Base,
    name="inspections",
    pages=[
        Page(
            Inspection,
            offline=True,
            scope=own_inspections,
            list=["site", "inspected_on", "status", "score", "next_due_on"],
            form=[
                "site",
                "inspected_on",
                "weather",
                "equipment",
                "findings",
                "score",
                "remarks",
                "next_due_on",
                "signature",
                "status",
                "assignee",
            ],
            sort=["-inspected_on"],
        ),
        Page(
            Site,
            offline=True,
            read_only=True,
            list=["name", "kind", "street", "town", "phone"],
            sort=["name"],
        ),
        # not offline to begin with: an administrator can switch it on in the Project Designer
        Page(
            Contractor,
            list=["name", "trade", "town", "phone", "approved_until"],
            sort=["name"],
        ),
    ],
)
