"""Who may open which page of the server's own: one table, and no page is missing from it (R34)."""

from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from starlette.routing import Route

from fieldpost_server import identity
from fieldpost_server import office as room
from fieldpost_server.storage import tables

pytestmark = pytest.mark.long

EVERYBODY, SIGNED_IN, SUPERVISOR, ADMIN = (
    {"", "anna", "dora", "lead", "admin"},
    {"anna", "dora", "lead", "admin"},
    {"lead", "admin"},
    {"admin"},
)
LEADING_BACK = ("authenticator", "authenticator/code", "passkey", "passkey/made")
WAYS = (*LEADING_BACK, "passkey/options")
RIGHTS = {
    "GET /sign-in": EVERYBODY,
    "POST /sign-in": EVERYBODY,
    "POST /sign-out": EVERYBODY,
    "GET /invitation": EVERYBODY,
    "POST /invitation": EVERYBODY,
    "GET /account": SIGNED_IN,
    "POST /account/password": SIGNED_IN,
    "POST /account/sessions": SIGNED_IN,
    # of her own only: `test_devices`
    "POST /devices/name": SIGNED_IN,
    "POST /devices/revoke": SIGNED_IN,
    "GET /envelopes": SUPERVISOR,
    "GET /envelopes/{envelope}": SUPERVISOR,
    "GET /designer": ADMIN,
    "POST /designer/pages/{page}": ADMIN,
    "POST /designer/users/{user}": ADMIN,
    "GET /people": ADMIN,
    "POST /people": ADMIN,
    "POST /people/role": ADMIN,
    "POST /people/active": ADMIN,
    "POST /people/password": ADMIN,
    "POST /people/invitation": ADMIN,
    "POST /people/sessions": ADMIN,
    "GET /devices": ADMIN,
    # they lead back to the page of the form
    **{f"GET /people/{name}": SIGNED_IN for name in ("role", "active", "password")},
    **{f"GET /people/{name}": SIGNED_IN for name in ("invitation", "sessions")},
    **{f"GET /account/{name}": SIGNED_IN for name in ("password", "sessions")},
    **{f"GET /devices/{name}": SIGNED_IN for name in ("name", "revoke")},
    # whose file it is decides what becomes of it: `sync/test_hand_in.py`
    "GET /hand-in": SIGNED_IN,
    "GET /security-events": ADMIN,
    "POST /people/factors": ADMIN,
    "POST /people/give-back": ADMIN,
    "GET /people/factors": SIGNED_IN,
    "GET /people/give-back": SIGNED_IN,
    # of a half sign-in, which none of these has: `tests/server/identity`
    "GET /sign-in/second": EVERYBODY,
    "POST /sign-in/second": EVERYBODY,
    "POST /sign-in/second/options": EVERYBODY,
    "POST /sign-in/second/passkey": EVERYBODY,
    **{f"POST /sign-in/factors/{way}": EVERYBODY for way in WAYS},
    **{f"POST /account/factors/{way}": SIGNED_IN for way in (*WAYS, "codes", "remove")},
    "POST /account/confirm/options": SIGNED_IN,
    **{f"GET /account/factors/{way}": SIGNED_IN for way in (*LEADING_BACK, "codes", "remove")},
}
"""By method and path: who is answered otherwise than that she may not."""


def of_the_room(office: Any) -> set[str]:
    """Return method and path of every route whose handler lies in the room `office`."""
    found = set()
    for route in office.application.routes:
        assert isinstance(route, Route)
        within = getattr(route.endpoint, "__module__", "")
        inner = getattr(route.endpoint, "__wrapped__", route.endpoint)
        names = {within, getattr(inner, "__module__", "")}
        rooms = (room.__name__, identity.__name__)
        if any(name.startswith(rooms) for name in names) or route.path in WRAPPED:
            found |= {
                f"{method} {route.path}" for method in route.methods or () if method != "HEAD"
            }
    return found


WRAPPED = {"/envelopes", "/envelopes/{envelope}"}
"""Their handlers stand behind the shared frame's, which hides where they lie."""


def test_every_page_is_in_the_table(office: Any) -> None:
    """Whoever adds a page says here who may open it."""
    assert set(RIGHTS) == of_the_room(office)


@pytest.mark.parametrize("asked", RIGHTS)
def test_a_page_is_for_whom_the_table_names(office: Any, asked: str) -> None:
    """Strangers are led to the sign-in, others are refused, and nothing changes (R34, R65)."""
    office.run(
        sa.insert(tables.user).values(
            name="lead", folded_name="lead", password_hash=_hash_of(office), active=True
        ),
        sa.insert(tables.user_role).values(user="lead", role="Supervisor"),
    )
    method, path = asked.split()
    address = path.format(envelope="x", page="visit", user="dora")
    for name in ("", "anna", "dora", "lead", "admin"):
        client = office.client(name or None)
        answer = client.request(method, address, headers={"Fieldpost-Shell": "1"})
        refused = {401} if not name else {403}

        assert (name in RIGHTS[asked]) == (answer.status_code not in refused), (name, answer)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GARBAGE = ["\0", "\ud800", "\u202e\r\n", "x" * 5000, "%", "[1]" * 500]
FIELDS = (
    "id",
    "credential",
    "confirm_password",
    "confirm_credential",
    "next",
    "user",
    "role",
    "give",
    "active",
    "session",
    "device",
    "name",
    "code",
    "old",
    "new",
)


@pytest.mark.parametrize("asked", [asked for asked in RIGHTS if asked.startswith("POST")])
def test_whatever_a_form_holds_is_answered(office: Any, asked: str) -> None:
    """In every field, also behind one that is right, and in addresses (R66)."""
    admin = office.client("admin")
    address = asked.split()[1].format(page="visit", user="dora")
    for text in GARBAGE:
        value = text.encode("utf-8", "surrogatepass")
        every: dict[Any, Any] = {
            **dict.fromkeys((*FIELDS, "password", "display_name"), value),
            value: b"x",
        }
        for body in (every, {**every, "user": b"dora"}):
            client = admin if address != "/sign-out" else office.client()
            sent = {"content": urlencode(body), "headers": FORM}
            answer = client.post(address, **sent)
            assert answer.status_code < 500, (address, text, answer.text)
        shown = admin.get(f"/people?{urlencode({'user': value})}")
        assert shown.status_code < 500, text
    assert 200 == office.client("admin").get("/people").status_code


def _hash_of(office: Any) -> str:
    """Return the hash of the password that everybody has here."""
    query = sa.select(tables.user.c.password_hash).where(tables.user.c.name == "dora")
    return str(office.rows(query)[0][0])
