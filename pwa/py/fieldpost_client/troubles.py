"""Envelopes of this device that could not be applied: what they need, and how they are discarded."""

from typing import TYPE_CHECKING

from fieldpost.errors import Code, NotFound, Problem, problem
from fieldpost.home import Trouble
from fieldpost.users import User

if TYPE_CHECKING:
    from fieldpost_client.device import DeviceHome


def trouble_of(home: "DeviceHome", identity: str) -> Trouble:
    """Return what an envelope needs; raises `NotFound`."""
    raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])


def discarded(home: "DeviceHome", user: User, trouble: Trouble) -> tuple[Problem, ...]:
    """Queue voids in the place of a trouble's envelopes."""
    return ()
