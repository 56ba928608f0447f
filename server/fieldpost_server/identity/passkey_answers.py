"""What a browser sends of a passkey: a form with more in one field than others may hold."""

from starlette.requests import Request

from fieldpost_server.factors.passkeys import MOST_CHARACTERS
from fieldpost_server.office.pages import fields_of

FIELD = "credential"


async def passkey_answer(request: Request) -> tuple[dict[str, str], str]:
    """Return the fields of a form, and the answer of a passkey in it, uncut; may be empty."""
    fields = await fields_of(request)
    # its body was read once and is kept with the request
    uncut = await fields_of(request, most_characters=MOST_CHARACTERS + 1)
    return fields, uncut.get(FIELD, "")
