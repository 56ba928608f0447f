"""Expensive work has few places, and who finds none is told so at once (R66)."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import pytest

from fieldpost.errors import Code, InputError
from fieldpost_server.http import bodies
from fieldpost_server.http.places import Places
from fieldpost_server.sync import calls


def test_a_place_is_free_again_whatever_happens() -> None:
    """A place ends with its work, also where that fails."""
    places = Places(1, 7)
    with pytest.raises(RuntimeError), places.one():
        raise RuntimeError
    with places.one(), pytest.raises(InputError) as refused, places.one():
        pass

    assert Code.OFFICE_BUSY is refused.value.problems[0].code
    assert {"seconds": 7} == refused.value.problems[0].detail
    with places.one():
        pass


@pytest.mark.parametrize(
    ("work", "address"),
    [
        ("make_image", "/sync/image"),
        ("read_delta", "/sync/pull?cursor={cursor}"),
        ("read_delta", "/sync/pull?cursor={cursor}&replace=visit"),
    ],
)
def test_what_takes_much_has_few_places(
    office: Any, monkeypatch: pytest.MonkeyPatch, work: str, address: str
) -> None:
    """One too many is answered 503 with the time to come again, while the others go on."""
    devices = [office.device("anna") for _ in range(calls.MOST_PULLS + 2)]
    real, done = getattr(calls, work), threading.Event()

    def waits(*parts: Any, **more: Any) -> Any:
        done.wait(60)
        return real(*parts, **more)

    monkeypatch.setattr(calls, work, waits)
    is_heavy = "pull" not in address or "replace" in address
    most = calls.MOST_IMAGES if is_heavy else calls.MOST_PULLS
    with ThreadPoolExecutor(len(devices)) as pool:
        answers = [
            pool.submit(d.client.get, address.format(cursor=d.cursor), headers=d.headers)
            for d in devices[: most + 1]
        ]
        try:
            # the refusal comes while all others still work
            first = next(as_completed(answers, timeout=60))
        finally:
            done.set()
        statuses = [a.result().status_code for a in answers]

    refused = first.result()
    assert (503, "office_busy") == (refused.status_code, refused.json()["error"]["code"])
    assert 1 <= int(refused.headers["retry-after"])
    assert [200] * most == sorted(statuses)[:-1]


def test_large_bodies_have_few_places(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held in memory is bounded in number, too; small forms never wait for that."""
    monkeypatch.setattr(bodies, "LARGE_BYTES", 1_000)
    dora = office.client("dora")
    limit = next(m for m in _middleware(office) if isinstance(m, bodies.BodyLimit))
    fields = {"name": "Aspirin", "notes": "x" * 5_000}
    with limit.large.one(), limit.large.one(), limit.large.one():
        with limit.large.one(), limit.large.one(), limit.large.one():
            large = dora.post("/pages/drugs/new", data=fields)
            small = dora.post("/pages/drugs/new", data={"name": "Ibuprofen"})
        after = dora.post("/pages/drugs/new", data=fields)

    assert [503, 303] == [large.status_code, small.status_code]
    assert 503 != after.status_code
    assert "office_busy" == large.json()["error"]["code"]


def _middleware(office: Any) -> Any:
    at = office.application.middleware_stack
    while at is not None:
        yield at
        at = getattr(at, "app", None)
