"""The server's home: sessions on the database, commits through the inbox."""

import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from fieldpost.app import App
from fieldpost.errors import Problem
from fieldpost.home import Story, Submission, SyncEntry, SyncOverview, Trouble, Upload
from fieldpost.pages import Page
from fieldpost.types import Attachment
from fieldpost.users import User
from fieldpost.wire.limits import Limits
from fieldpost.wire.receipts import Receipt
from fieldpost_server.attachments.attachment_store import AttachmentStore
from fieldpost_server.attachments.picture_data import plain_picture
from fieldpost_server.feed.failed_tables import FailureNotes
from fieldpost_server.feed.horizon import current_moment
from fieldpost_server.inbox.audit_trail import story_of
from fieldpost_server.inbox.dependencies import first_receipt
from fieldpost_server.inbox.failed_envelopes import trouble_of
from fieldpost_server.inbox.inbox import Inbox
from fieldpost_server.proofs.checksums import Checksums
from fieldpost_server.quotas.kinds import Kind
from fieldpost_server.quotas.quotas import Quotas
from fieldpost_server.scope.page_settings import offline_pages
from fieldpost_server.storage.database import Database
from fieldpost_server.storage.unreadable_rows import UnreadableRows

T = TypeVar("T")


class ServerHome:
    """See `fieldpost.home.Home`.

    Args:
        app: the app.
        database: its database.
        inbox: applies what is saved.
        store: keeps files.
        quotas: how much each user may take.
        asset_url: address of a static file.
        demo: whether this is the demo, which says its passwords.
    """

    kind = "server"

    def __init__(
        self,
        app: App,
        database: Database,
        inbox: Inbox,
        store: AttachmentStore,
        quotas: Quotas,
        asset_url: Callable[[str], str],
        *,
        demo: bool = False,
    ) -> None:
        self.app = app
        self.database = database
        self.inbox = inbox
        self.store = store
        self.quotas = quotas
        self.asset = asset_url
        self.demo = demo
        self.unreadable = UnreadableRows(app, database)
        self.failures = FailureNotes()
        self.checksums = Checksums(app)

    @property
    def limits(self) -> Limits:
        """What this server takes."""
        return self.store.limits

    def session(self) -> AbstractContextManager[Session]:
        """Open a snapshot."""
        return self.database.read_session()

    def commit(self, user: User, submission: Submission) -> Receipt:
        """Apply a submission in one transaction; raises `InputError` over a quota."""
        text = json.dumps([each.to_json() for each in submission.operations])
        self.quotas.take(user.name, Kind.ENTRY_BYTES, len(text))
        return self.inbox.commit(user, submission, self.new_id())

    def first_receipt(self, user: User, envelope: str) -> Receipt | None:
        """Return what a form was answered when it was saved; None where it has not been."""
        with self.database.read_session() as session:
            return first_receipt(session, user, envelope)

    def temporary_key(self) -> int:
        """Return a random one: many processes count for one device, and 52 bits never meet."""
        return -1 - secrets.randbits(52)

    def new_id(self) -> str:
        """Return a new UUID."""
        return str(uuid.uuid4())

    def base(self) -> str:
        """Return the cursor of now."""
        with self.database.read_session() as session:
            return str(current_moment(session).cursor())

    def is_here(self, page: Page, user: User) -> bool:  # noqa: ARG002 - the protocol's
        """Say yes: the server has every page."""
        return True

    def is_offline(self, page: Page) -> bool:
        """Say whether the page is marked offline now."""
        with self.database.read_session() as session:
            return page.name in offline_pages(session, self.app)

    def open_entries(self, page: Page) -> Mapping[tuple[Any, ...], SyncEntry]:  # noqa: ARG002 - protocol
        """Return nothing: what is saved here is synchronised."""
        return {}

    def real_key(self, model: str, temporary: int) -> int | None:  # noqa: ARG002 - protocol
        """Return nothing: addresses on the server hold real keys."""
        return None

    def keep_upload(self, upload: Upload, user: User, *, is_picture: bool) -> Attachment:
        """Keep a file that came within a form; raises `InputError`, also over a quota."""
        self.store.check_size(len(upload.content))
        self.quotas.take(user.name, Kind.UPLOADS)
        self.quotas.take(user.name, Kind.FILE_BYTES, len(upload.content))
        return self.store.keep(plain_picture(upload) if is_picture else upload, user)

    def sync_overview(self, user: User) -> SyncOverview:  # noqa: ARG002 - the protocol's
        """Return nothing: nothing waits here."""
        return SyncOverview((), ())

    def story(self, user: User, envelope: str) -> Story:
        """Return all that is known of an envelope; supervisors may ask for everybody's."""
        with self.database.read_session() as session:
            return story_of(session, self.app, user, envelope)

    def trouble(self, user: User, envelope: str) -> Trouble:
        """Return what an envelope needs; supervisors may ask for everybody's."""
        with self.database.read_session() as session:
            return trouble_of(session, self.app, user, envelope)

    def discard(self, user: User, trouble: Trouble) -> tuple[Problem, ...]:
        """Discard the envelopes, the last one first."""
        for identity in reversed(trouble.ids):
            receipt = self.inbox.discard(user, identity, self.new_id())
            if not receipt.is_applied:
                return receipt.problems
        return ()

    def context(self, user: User) -> Mapping[str, Any]:  # noqa: ARG002 - the protocol's
        """Say whether this is the demo."""
        return {"demo": self.demo}

    async def run(self, call: Callable[[], T]) -> T:
        """Run a handler in the thread pool: it waits for the database."""
        return await run_in_threadpool(call)
