"""Key books: what temporary keys stand for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from fieldpost.schema.models import Key, Model
from fieldpost.wire.receipts import NewKey


class KeyBook(Protocol):
    """Knows the real keys that one device's temporary keys became."""

    def real(self, model: str, temporary: int) -> int | None:
        """Return the real key, or None where it is not known (yet)."""

    def expect(self, new: Mapping[Model, Sequence[int]]) -> None:
        """Hear of all temporary keys of new rows, before `chosen` is asked for the first."""

    def chosen(self, model: str, temporary: int) -> int | None:
        """Return the key that a new row is to have; None lets the database count."""

    def remember(self, key: NewKey) -> None:
        """Keep a real key for good."""


class DeviceKeys:
    """The device's book: rows keep their temporary keys until a newer replica has the real ones.

    Args:
        known: (model, temporary) to real key, from receipts.
    """

    def __init__(self, known: dict[tuple[str, int], int]) -> None:
        self.known = known

    def real(self, model: str, temporary: int) -> int | None:
        """Return the real key once a receipt has told it, before that the temporary key itself."""
        return self.known.get((model, temporary), temporary)

    def expect(self, new: Mapping[Model, Sequence[int]]) -> None:
        """Do nothing: there are keys enough."""

    def chosen(self, model: str, temporary: int) -> int | None:  # noqa: ARG002 - the protocol's
        """Let the row have its temporary key."""
        return temporary

    def remember(self, key: NewKey) -> None:
        """Do nothing: real keys come from receipts only."""


class UnknownKey(LookupError):
    """A temporary key stands for a row that has not arrived."""


def is_temporary(value: object) -> bool:
    """Say whether a key part is temporary."""
    return isinstance(value, int) and not isinstance(value, bool) and value < 0


def resolved(
    model: Model, key: Key, models: dict[str, Model], real: Callable[[str, int], int | None]
) -> Key:
    """Return a key with the real values of its temporary parts.

    Raises:
        UnknownKey: one of them is not known.
    """
    return tuple(
        resolved_part(model, attribute, value, models, real)
        for attribute, value in zip(model.key, key, strict=True)
    )


def resolved_part(
    model: Model,
    attribute: str,
    value: object,
    models: dict[str, Model],
    real: Callable[[str, int], int | None],
) -> object:
    """Return the real value of one key or foreign-key attribute; raises `UnknownKey`."""
    if not is_temporary(value):
        return value
    owner = model.name if attribute == model.generated_key else model.counted.get(attribute)
    if owner is None or owner not in models:
        return value
    found = real(owner, value)  # type: ignore[arg-type]  # is_temporary has checked it
    if found is None:
        raise UnknownKey(owner, value)
    return found
