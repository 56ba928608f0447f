"""What a browser sends of a passkey: a form with more in one field than others may hold."""

from starlette.requests import Request

from fieldpost_server.factors.passkeys import MOST_CHARACTERS
from fieldpost_server.office.pages import fields_of

FIELD = "credential"


async def passkey_answer(request: Request) -> tuple[dict[str, str], str]:
    """Return the fields of a form, and the answer of a passkey in it, uncut; may be empty."""
    fields = await fields_of(request)
    # the form was read once and is kept with the request
    form = await request.form()
    return fields, str(form.get(FIELD, ""))[: MOST_CHARACTERS + 1]
