"""What a call leaves behind: every row and every file, for tests of what must leave nothing."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from apps import clinic
from fieldpost.errors import Code
from fieldpost_server.storage import tables

_CODES = {str(code) for code in Code}


def files(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder, by their paths within."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def everything(office: Any) -> dict[str, Any]:
    """Return all rows of the app's tables and of Fieldpost's own, and all files.

    What was asked for is counted before it is judged: the counts of quotas are left out.
    """
    ours = [table for table in tables.metadata.sorted_tables if table is not tables.quota_use]
    every = [*clinic.Base.metadata.sorted_tables, *ours]
    found: dict[str, Any] = {
        table.name: office.rows(sa.select(table).order_by(*table.primary_key.columns))
        for table in every
    }
    return found | {"files": files(office.settings.attachments)}


def is_refused(answer: Any) -> bool:
    """Say whether a call was refused; every refusal has the one shape, and none is a 500 (R66)."""
    said = (answer.request.method, str(answer.request.url)[:300], answer.status_code, answer.text)
    assert answer.status_code < 500, said
    if answer.status_code < 400:
        return False
    if answer.request.method == "HEAD":
        return True
    error = answer.json()["error"]
    assert {"code", "path", "message", "problems"} <= set(error), said
    assert error["code"] in _CODES, said
    assert error["problems"][0].items() <= error.items(), said
    assert len(answer.text) < 10_000, said
    return True
