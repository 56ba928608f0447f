"""Who is acting: a user, and the context in which replay and defaults see her."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

OFFLINE = "Offline"
"""The role that makes a user a field worker."""

SUPERVISOR = "Supervisor"
"""The role that sees and repairs what devices sent and could not be applied."""

ADMIN = "Admin"
"""The role that opens the Project Designer."""


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in person: her sign-in name, the name that others read, and her roles."""

    name: str
    display_name: str = ""
    roles: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_field_worker(self) -> bool:
        """Say whether she works on her device's data."""
        return OFFLINE in self.roles

    @property
    def is_admin(self) -> bool:
        """Say whether she may open the Project Designer."""
        return ADMIN in self.roles

    @property
    def is_supervisor(self) -> bool:
        """Say whether she may repair what others have saved."""
        return bool({SUPERVISOR, ADMIN} & self.roles)

    @property
    def label(self) -> str:
        """Return the name to show."""
        return self.display_name or self.name


_current: ContextVar[User | None] = ContextVar("fieldpost_user", default=None)


@contextmanager
def acting_as(user: User) -> Iterator[None]:
    """Make `user` the current one while the block runs."""
    token = _current.set(user)
    try:
        yield
    finally:
        _current.reset(token)


def current_user() -> User:
    """Return the user in whose name the code runs.

    Raises:
        LookupError: outside of a request or a replay.
    """
    user = _current.get()
    if user is None:
        raise LookupError("no user is acting: call this within `acting_as(user)`")
    return user


def current_user_name() -> str:
    """Return the acting user's sign-in name, to be used as a column's `default`."""
    return current_user().name
