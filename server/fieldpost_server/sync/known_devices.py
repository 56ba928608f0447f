"""Which device asks: whether it is known, whose it is, and what one that was revoked is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.requests import Request

from fieldpost.errors import Code, Forbidden, problem
from fieldpost.users import User
from fieldpost.web.framework.requests import USER
from fieldpost.wire.protocol import DEVICE_HEADER, HANDING_OVER_HEADER
from fieldpost.wire.shapes import is_device_id
from fieldpost_server.accounts.devices import DeviceRevoked, needs_noting, note_contact
from fieldpost_server.devices.revocations import may_hand_over
from fieldpost_server.devices.wipe_orders import WipeOrders
from fieldpost_server.home import ServerHome
from fieldpost_server.http.authentication import TOKEN
from fieldpost_server.storage import tables
from fieldpost_server.sync.uploads import check_protocol

T = TypeVar("T")

_FIND_DEVICE = sa.select(tables.device).where(tables.device.c.id == sa.bindparam("device"))


@dataclass(frozen=True, slots=True)
class KnownDevices:
    """Looks after the devices that ask.

    Attributes:
        home: the server's.
        orders: what revoked ones are told.
    """

    home: ServerHome
    orders: WipeOrders

    def find(
        self,
        session: Session,
        user: User,
        device: str,
        *,
        handing_over: bool = False,
        to_end: bool = False,
    ) -> Any:
        """Return the row of a user's device; None where there is none.

        Args:
            session, user, device: where, whose and which.
            handing_over: whether it does what one that was revoked may still do.
            to_end: whether that is only to say that this was all.

        Raises:
            Forbidden: it is another user's.
            DeviceRevoked: it is, and does not hand over its work as it was ordered.
        """
        row = session.connection().execute(_FIND_DEVICE, {"device": device}).first()
        if row is not None and row.user != user.name:
            raise Forbidden([problem(Code.DEVICE_OF_ANOTHER)])
        is_revoked = row is not None and row.revoked
        if is_revoked and not (handing_over and may_hand_over(session, device, to_end=to_end)):
            raise DeviceRevoked(device)
        return row

    def check(
        self,
        request: Request,
        session: Session,
        *,
        handing_over: bool = False,
        to_end: bool = False,
    ) -> str:
        """Return the device that asks; raises `Forbidden`, and as `find`."""
        check_protocol(request)
        device, token = request.headers.get(DEVICE_HEADER, ""), request.scope[TOKEN]
        hands_over = handing_over and HANDING_OVER_HEADER in request.headers
        # no database need look for what was never registered; PostgreSQL knows no text with NUL
        row = (
            self.find(session, _user(request), device, handing_over=hands_over, to_end=to_end)
            if is_device_id(device)
            else None
        )
        if row is None:
            raise Forbidden([problem(Code.WRONG_DEVICE, DEVICE_HEADER)])
        if not row.revoked and needs_noting(session, row, token):
            request.state.contact = device
        return device

    def noting(self, request: Request, work: Callable[[Request], T]) -> T:
        """Run work that checks the device, and keep that it was here before that is answered.

        The work's own session is closed by then: nobody holds a connection who waits for another.
        """
        result = self.telling(request, work)
        if device := getattr(request.state, "contact", ""):
            token = request.scope[TOKEN]

            def note(_: Request) -> None:
                # fault point: contact-unnoted — nothing was answered yet: the device asks again,
                # and only then is it known which session it uses.
                self.home.database.write(lambda session: note_contact(session, device, token))

            self.telling(request, note)
        return result

    def telling(self, request: Request, work: Callable[[Request], T]) -> T:
        """Run work; a device that was revoked is told what it is ordered."""
        try:
            return work(request)
        except DeviceRevoked as revoked:
            # its session is closed: the order takes connections of its own
            raise self.orders.heard_of(revoked.device) from revoked


def _user(request: Request) -> User:
    user: User = request.scope[USER]
    return user
