"""What can be tapped in a record's view (R23)."""

import pytest
import sqlalchemy as sa

from fieldpost.schema.fields import field_of
from fieldpost.web.display.contact_links import contact_link


@pytest.mark.parametrize(
    ("name", "text", "link"),
    [
        ("email", "ann@example.org", "mailto:ann@example.org"),
        ("note", "a.b+c@mail.example.org", "mailto:a.b+c@mail.example.org"),
        ("note", "Write to ann@example.org", ""),
        ("note", "a@b", ""),
        ("note", "x?cc=b@example.org", "mailto:x%3Fcc%3Db@example.org"),
        ("website", "https://example.org/a?b=c", "https://example.org/a?b=c"),
        ("website", "javascript:alert(1)", ""),
        ("website", "https://example.org and more", ""),
        ("phone", "+31 (0)15 123 45-67", "tel:+310151234567"),
        ("mobile_number", "06 12345678", "tel:0612345678"),
        ("number", "0612345678", ""),
        ("microphone", "0612345678", ""),
        ("phone", "ask Ann", ""),
        ("phone", "", ""),
    ],
)
def test_only_what_is_clearly_an_address_is_a_link(name: str, text: str, link: str) -> None:
    """The whole text has to be one, and a number a phone's by the name of its field."""
    field = field_of(name, sa.Column(name, sa.String(200)), (), None)

    assert field is not None
    assert link == contact_link(field, text)
