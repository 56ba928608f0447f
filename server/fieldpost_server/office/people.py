"""The page of people: accounts, roles, passwords, invitations and sessions, for administrators."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import Code, FieldpostError, InputError, Problem, problem
from fieldpost.users import User
from fieldpost.web.framework.templates import DONE_WORDS
from fieldpost_server.accounts.invitations import invite
from fieldpost_server.accounts.passwords import MIN_CHARACTERS
from fieldpost_server.accounts.seats import seats_taken
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.session_list import end_all, end_one, sessions_of
from fieldpost_server.accounts.users import (
    add_user,
    existing_user,
    find_account,
    give_role,
    list_accounts,
    prepared_password,
    store_password,
    switch_off,
    switch_on,
    take_role,
)
from fieldpost_server.factors.second_factors import factors_of, is_demanded, reset_factors
from fieldpost_server.factors.taken_over import give_back
from fieldpost_server.home import ServerHome
from fieldpost_server.http.answers import retry_after, status_of
from fieldpost_server.http.authentication import actor_of
from fieldpost_server.office.hashes import hashing
from fieldpost_server.office.invitation import qr_code
from fieldpost_server.office.pages import (
    admin_of,
    fields_of,
    leading_back,
    public_address,
    server_page,
)
from fieldpost_server.quotas.usage import usages
from fieldpost_server.settings import Settings

MOST_NEAR = 100
"""Users near or over a quota that the page names."""

Fields = Mapping[str, str]
Change = Callable[[Session, Actor, Fields], str | None]
"""One change of a user; where it is an invitation, it returns the code."""


@dataclass(frozen=True, slots=True)
class People:
    """The routes below ``/people``, for the role `Admin`."""

    home: ServerHome
    settings: Settings
    places: asyncio.Semaphore

    def routes(self) -> list[Route]:
        """Return the routes."""
        changes: dict[str, Change] = {
            "role": self._role,
            "active": self._active,
            "invitation": self._invitation,
            "sessions": self._sessions,
            "factors": self._factors,
            "give-back": self._give_back,
        }
        return [
            Route("/people", self.show, methods=["GET"]),
            Route("/people", self.add, methods=["POST"]),
            Route("/people/password", self.set_password, methods=["POST"]),
            *(
                Route(f"/people/{name}", self._changing(change), methods=["POST"])
                for name, change in changes.items()
            ),
            *(leading_back(f"/people/{name}", "/people") for name in ("password", *changes)),
        ]

    async def show(self, request: Request) -> Response:
        """Show everybody, or one person."""
        admin, name = admin_of(request), request.query_params.get("user", "")
        done = DONE_WORDS.get(request.query_params.get("done", ""), "")
        if name:
            return await run_in_threadpool(self._person, admin, name, done=done)
        return await run_in_threadpool(self._everybody, admin, done=done)

    async def add(self, request: Request) -> Response:
        """Add somebody, and invite her."""
        admin, actor, fields = admin_of(request), actor_of(request), await fields_of(request)
        roles = [role for role in self.home.app.roles if fields.get(f"role:{role}")]
        name, known = fields.get("user", "").strip(), self.home.app.roles

        def work(session: Session) -> str:
            display = fields.get("display_name", "").strip()
            add_user(
                session,
                name,
                None,
                display_name=display,
                roles=roles,
                known_roles=known,
                seats=self.settings.seats,
            )
            record(session, actor, Event.USER_ADDED, name, ", ".join(roles))
            return self._invitation(session, actor, {"user": name})

        try:
            # fault point: user-added-unanswered — she is there with her roles, and her link is
            # lost: the administrator makes another one.
            code = await run_in_threadpool(self.home.database.write, work)
        except FieldpostError as error:
            return await run_in_threadpool(
                self._everybody, admin, problems=error.problems, asked=fields
            )
        link = self._link(request, code)
        return await run_in_threadpool(self._person, admin, name, link=link, done="Added")

    async def set_password(self, request: Request) -> Response:
        """Set a password that the person has to replace when she signs in."""
        admin, actor, fields = admin_of(request), actor_of(request), await fields_of(request)
        name = fields.get("user", "")
        try:
            hashed = await hashing(
                self.places, lambda: self._prepared(name, fields.get("password", ""))
            )

            def work(session: Session) -> None:
                user = existing_user(session, name)
                store_password(session, user.name, hashed, is_due=True)
                record(session, actor, Event.PASSWORD_SET, user.name)

            # fault point: password-set-unanswered — it holds and all sessions have ended; whoever
            # sees no answer sets another one.
            await run_in_threadpool(self.home.database.write, work)
        except FieldpostError as error:
            return await run_in_threadpool(self._person, admin, name, problems=error.problems)
        return _back(name, "saved")

    def _prepared(self, name: str, password: str) -> str:
        with self.home.session() as session:
            user = existing_user(session, name)
        return prepared_password(user.name, password)

    def _changing(self, change: Change) -> Callable[[Request], Any]:
        async def changed(request: Request) -> Response:
            admin, actor, fields = admin_of(request), actor_of(request), await fields_of(request)
            name = fields.get("user", "")
            try:
                # fault point: person-unchanged — one transaction for one change and its event: the
                # page shows whether it is made.
                code = await run_in_threadpool(
                    self.home.database.write, lambda session: change(session, actor, fields)
                )
            except FieldpostError as error:
                return await run_in_threadpool(self._person, admin, name, problems=error.problems)
            if code is None:
                return _back(name, "saved")
            link = self._link(request, code)
            return await run_in_threadpool(self._person, admin, name, link=link)

        return changed

    # changes

    def _role(self, session: Session, actor: Actor, fields: Fields) -> None:
        name, role = fields.get("user", ""), fields.get("role", "")
        if fields.get("give") == "true":
            known, seats = self.home.app.roles, self.settings.seats
            give_role(session, name, role, known_roles=known, seats=seats)
            record(session, actor, Event.ROLE_GIVEN, name, role)
            return
        take_role(session, name, role)
        record(session, actor, Event.ROLE_TAKEN, name, role)

    def _active(self, session: Session, actor: Actor, fields: Fields) -> None:
        user = find_account(session, fields.get("user", "")).user
        if fields.get("active") == "true":
            switch_on(session, user.name, seats=self.settings.seats)
            record(session, actor, Event.SWITCHED_ON, user.name)
            return
        if fields.get("active") != "false":
            raise InputError([problem(Code.NOT_A_CHOICE, "active", label="Account")])
        if user.name == actor.name:
            raise InputError([problem(Code.OWN_ACCOUNT)])
        switch_off(session, user.name)
        record(session, actor, Event.SWITCHED_OFF, user.name)

    def _invitation(self, session: Session, actor: Actor, fields: Fields) -> str:
        name = existing_user(session, fields.get("user", "")).name
        record(session, actor, Event.INVITED, name)
        return invite(session, name, timedelta(hours=self.settings.invitation_hours))

    def _sessions(self, session: Session, actor: Actor, fields: Fields) -> None:
        user, wanted = find_account(session, fields.get("user", "")).user, fields.get("session", "")
        count = (
            end_all(session, user.name) if wanted == "all" else end_one(session, user.name, wanted)
        )
        if count:
            record(session, actor, Event.SESSIONS_ENDED, user.name, str(count))

    def _factors(self, session: Session, actor: Actor, fields: Fields) -> None:
        user = find_account(session, fields.get("user", "")).user
        count = reset_factors(session, user.name)
        record(session, actor, Event.FACTORS_RESET, user.name, str(count))

    def _give_back(self, session: Session, actor: Actor, fields: Fields) -> str | None:
        lasts = timedelta(hours=self.settings.invitation_hours)
        return give_back(session, fields.get("user", ""), actor, lasts) or None

    # pages

    def _link(self, request: Request, code: str) -> str:
        return f"{public_address(request, self.settings)}/invitation?code={code}"

    def _everybody(
        self,
        admin: User,
        *,
        problems: Sequence[Problem] = (),
        asked: Fields | None = None,
        done: str = "",
    ) -> Response:
        with self.home.session() as session:
            accounts, taken = list_accounts(session), seats_taken(session)
            used = usages(session, self.home.quotas.limits)
        return server_page(
            self.home,
            admin,
            "people.html",
            _status(problems),
            accounts=accounts,
            seats=self.settings.seats,
            seats_taken=taken,
            near=[each for each in used if each.is_near][:MOST_NEAR],
            problems=problems,
            asked=asked or {},
            done=done,
        )

    def _person(
        self,
        admin: User,
        name: str,
        *,
        problems: Sequence[Problem] = (),
        link: str = "",
        done: str = "",
    ) -> Response:
        with self.home.session() as session:
            try:
                account = find_account(session, name)
            except FieldpostError as error:
                # what went wrong is that there is no such person: the list is shown
                return self._everybody(admin, problems=problems or error.problems)
            sessions = sessions_of(session, account.user.name, self.settings)
            factors = factors_of(session, account.user.name)
        page = server_page(
            self.home,
            admin,
            "person.html",
            _status(problems),
            account=account,
            person=account.user,
            sessions=sessions,
            factors=factors,
            is_demanded=is_demanded(account.user, self.settings),
            problems=problems,
            link=link,
            qr=qr_code(link) if link else "",
            hours=self.settings.invitation_hours,
            least=MIN_CHARACTERS,
            done=done,
        )
        page.headers.update(retry_after(problems) if problems else {})
        return page


def _status(problems: Sequence[Problem]) -> int:
    if not problems:
        return 200
    if problems[0].code == Code.NO_SUCH_USER:
        return 404
    return status_of(InputError(list(problems)))


def _back(name: str, done: str) -> Response:
    return RedirectResponse(f"/people?user={quote(name, safe='')}&done={done}", 303)
