"""Fixtures of the tests of backups: an office with work and files, and other places for it."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from apps.fakes import ADA
from fieldpost.wire.envelope import Operation
from fieldpost_server.application import make_application
from fieldpost_server.attachments.attachment_store import AttachmentStore
from fieldpost_server.backup.place import Place
from fieldpost_server.backup.programs import Programs
from fieldpost_server.backup.restoration import Restoration, Restored
from fieldpost_server.backup.taking import Taken, take_backup
from fieldpost_server.backup.verification import verify
from fieldpost_server.settings import Settings


@dataclass
class Yard:
    """An office whose backups are tried."""

    office: Any
    place: Place
    programs: Programs
    empty: Callable[[], Settings]
    device: Any = None
    files: list[bytes] = field(default_factory=list)

    @property
    def store(self) -> AttachmentStore:
        store: AttachmentStore = self.office.home.store
        return store

    @property
    def kind(self) -> str:
        kind: str = self.office.database.dialect
        return kind

    def work(self, words: str) -> None:
        """Have a device send a visit, and a file beside it."""
        if self.device is None:
            self.device = self.office.device("anna", download=False)
        content = words.encode() * 50
        assert 200 <= self.device.upload(content, "text/plain").status_code < 300
        self.files.append(content)
        new = {"patient_id": str(ADA), "visited_on": "2026-11-23", "kind": "first"}
        operation = Operation("insert", "visit", (-len(self.files),), {**new, "nurse": "anna"})
        (receipt,) = self.device.push(self.device.envelope(operation))
        assert "accepted" == receipt["outcome"], receipt

    def take(self, **how: Any) -> Taken:
        return take_backup(self.office.home.app, self.store, self.place, self.programs, **how)

    def faults(self, folder: Path) -> list[str]:
        return verify(folder, self.programs).faults

    def restore(self, folder: Path, settings: Settings, **how: Any) -> Restored:
        found = verify(folder, self.programs)
        return Restoration(settings, self.office.home.app, found, self.programs).restore(**how)


@pytest.fixture
def yard(
    office: Any, database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Yard]:
    """The office of the clinic, a place for backups, and as many empty places as are wanted."""
    numbers = itertools.count(1)
    made: list[str] = []
    is_postgresql = database_url.startswith("postgresql")
    programs = request.getfixturevalue("find_part")("postgres") if is_postgresql else ""

    def empty() -> Settings:
        number = next(numbers)
        folder = tmp_path / f"elsewhere-{number}"
        url = f"sqlite:///{folder / 'office.sqlite'}"
        if is_postgresql:
            made.append(f"elsewhere_{database_url.partition('?')[0].rpartition('_')[2]}_{number}")
            url = str(request.getfixturevalue("postgres").create(made[-1]))
        settings: Settings = office.settings
        return replace(settings, data=folder, database=url)

    yield Yard(office, Place(tmp_path / "backups"), Programs(str(programs)), empty)
    for name in made:
        request.getfixturevalue("postgres").drop(name)


@pytest.fixture
def serve(office: Any) -> Iterator[Callable[[Settings], Any]]:
    """Return what serves an office with other settings."""
    served: list[Any] = []

    def made(settings: Settings) -> Any:
        assets = office.home.asset.__self__
        served.append(type(office)(settings, make_application(settings, assets)))
        return served[-1]

    yield made
    for each in served:
        each.close()
