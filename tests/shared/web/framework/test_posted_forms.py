"""Forms with files and without, as browsers send them."""

from collections.abc import Callable

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from fieldpost.errors import Code, InputError
from fieldpost.home import Upload
from fieldpost.web.framework.posted_forms import PostedForm, form_of

MULTIPART = "multipart/form-data; boundary=b"
HEAD = b'--b\r\nContent-Disposition: form-data; name="'
PICTURE = HEAD + b'photo"; filename="a b.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'


def read(kind: str, body: bytes, most: int = 10) -> tuple[PostedForm, int]:
    """Return the form, and how often somebody was asked to read it where nobody waits."""
    asked = []

    async def run(reading: Callable[[], PostedForm]) -> PostedForm:
        asked.append(reading)
        return reading()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", kind.encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    work = form_of(request, run, most_fields=most, most_files=1)
    with pytest.raises(StopIteration) as done:
        work.send(None)
    form: PostedForm = done.value.value
    return form, len(asked)


def test_a_form_with_files_is_read_as_it_was_filled_in() -> None:
    """Names, order, repetitions, large texts and files arrive as they were sent (R14)."""
    large = "ä" * 1_500_000
    body = (
        HEAD + b'a"\r\n\r\n1\r\n'
        + HEAD + "ü".encode() + b'"\r\n\r\n' + large.encode() + b"\r\n"
        + PICTURE + b"\xff\xd8" * 600_000 + b"\r\n"
        + HEAD + b'a"\r\n\r\n\r\n'
        + HEAD + b'none"; filename=""\r\n\r\n\r\n--b--\r\n'
    )  # fmt: skip
    with pytest.raises(InputError):
        read(MULTIPART, body)  # an empty file counts, too

    form, asked = read(MULTIPART, body.replace(b'none"; filename=""', b'none"'))

    assert [("a", "1"), ("ü", large), ("a", ""), ("none", "")] == form.pairs
    assert [("photo", Upload("a b.jpg", "image/jpeg", b"\xff\xd8" * 600_000))] == form.uploads
    assert 1 == asked


def test_texts_are_of_one_encoding() -> None:
    """Whatever a request says of it, so that no encoding costs more than its bytes (R66)."""
    body = HEAD + b'a"\r\n\r\n' + "ä-8ia".encode() + b"\r\n--b--"

    for charset in ("punycode", "utf-16", "zip", "\0"):
        assert [("a", "ä-8ia")] == read(f"{MULTIPART}; charset={charset}", body)[0].pairs


def test_a_form_without_files_is_read_the_same_way() -> None:
    """What a browser encodes in one line is read where it holds up nobody, too (R66)."""
    form, asked = read("application/x-www-form-urlencoded; charset=utf-8", b"a=1&a=2")

    assert (PostedForm([("a", "1"), ("a", "2")]), 1) == (form, asked)


def test_what_is_no_form_is_empty() -> None:
    """Any other content is no form, and nobody reads it (R66)."""
    assert (PostedForm(), 0) == read("application/json", b'{"a": 1}')


@pytest.mark.parametrize("kind", [MULTIPART, "application/x-www-form-urlencoded"])
def test_more_fields_than_are_taken_are_refused_in_words(kind: str) -> None:
    """A form has so many fields and no more, however it is encoded (R66)."""
    plain = b"&".join([b"a=1"] * 11)
    body = (HEAD + b'a"\r\n\r\n1\r\n') * 11 + b"--b--" if kind == MULTIPART else plain
    with pytest.raises(InputError) as refused:
        read(kind, body)

    assert Code.TOO_BIG is refused.value.problems[0].code


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", HEAD + b'a"\r\n\r\n1\r\n--b--'),
        (MULTIPART, b"--c\r\n\r\n"),
        (MULTIPART, b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--"),
        ("multipart/form-data; boundary=" + "b" * 2_000, b"--b--"),
    ],
    ids=["no boundary", "another boundary", "no name", "long boundary"],
)
def test_what_is_not_as_its_type_says_is_refused(kind: str, body: bytes) -> None:
    """A body that is no form in spite of its type is the sender's fault (R66)."""
    with pytest.raises(HTTPException) as refused:
        read(kind, body)

    assert 400 == refused.value.status_code
