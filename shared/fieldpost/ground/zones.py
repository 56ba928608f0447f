"""The zone of the person for whom the code runs: her device's, or the one that is the office's."""

import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from importlib import resources
from io import BytesIO

_current: ContextVar[tzinfo | None] = ContextVar("fieldpost_zone", default=None)
_own: tzinfo = UTC
_kept: dict[str, bytes] = {}


@contextmanager
def in_zone(zone: tzinfo) -> Iterator[None]:
    """Show and read moments in `zone` while the block runs."""
    token = _current.set(zone)
    try:
        yield
    finally:
        _current.reset(token)


def set_own_zone(zone: tzinfo) -> None:
    """Make `zone` that of everything that runs outside of `in_zone`: a device has one person."""
    global _own  # noqa: PLW0603 - one process, one clock on the wall
    _own = zone


def current_zone() -> tzinfo:
    """Return the zone of the person for whom the code runs."""
    return _current.get() or _own


def local(moment: datetime) -> datetime:
    """Return an aware moment as the person's clock shows it; a naive one stays as it is."""
    if moment.tzinfo is None:
        return moment
    try:
        return _with_offset(moment.astimezone(current_zone()))
    except OverflowError:
        # at either end of the calendar another zone's day does not exist
        return moment


def moments_of(wall: datetime) -> list[datetime]:
    """Return the moments at which the person's clock shows this, the earlier one first.

    There are none in the hour that clocks leave out in spring, and two in the one that they repeat.
    """
    zone = current_zone()
    found: dict[datetime, datetime] = {}
    for fold in (0, 1):
        moment = wall.replace(tzinfo=zone, fold=fold)
        try:
            same = moment.astimezone(UTC)
            shown = same.astimezone(zone).replace(tzinfo=None, fold=0)
        except OverflowError:
            continue
        if shown == wall.replace(fold=0):
            found.setdefault(same, in_whole_minutes(_with_offset(moment)))
    return [found[same] for same in sorted(found)]


def around(wall: datetime) -> list[datetime]:
    """Return what the person's clock shows for an hour that it leaves out, read in either way."""
    zone = current_zone()
    read = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return [_with_offset(moment.astimezone(zone)) for moment in sorted(read)]


def _with_offset(moment: datetime) -> datetime:
    """Return a moment with a plain offset in the place of its zone.

    Python takes a moment in an hour that comes twice for none in any other zone (PEP 495).
    """
    return moment.replace(tzinfo=timezone(moment.utcoffset() or timedelta()), fold=0)


def in_whole_minutes(moment: datetime) -> datetime:
    """Return a moment with an offset that can travel: before 1900 many had seconds."""
    offset = moment.utcoffset() or timedelta()
    return moment.astimezone(UTC) if offset.seconds % 60 else moment


def offset_text(moment: datetime) -> str:
    """Return an aware moment's offset as it travels, such as ``+02:00``."""
    return moment.isoformat()[-6:] if moment.utcoffset() is not None else ""


def offset_words(moment: datetime) -> str:
    """Return an aware moment's offset for people, such as 'UTC+2'."""
    text = offset_text(moment)
    hours, minutes = text[1:3].lstrip("0") or "0", text[4:6]
    return f"UTC{text[:1]}{hours}" + (f":{minutes}" if minutes != "00" else "")


# zones by name


def zone_named(name: str) -> tzinfo:
    """Return a zone of the IANA database, or a fixed offset such as ``+02:00``.

    Raises:
        ValueError: there is none of this name.
    """
    if name == "UTC":
        return UTC
    if name[:1] in ("+", "-"):
        offset = datetime.strptime(name, "%z").tzinfo
        assert offset is not None
        return offset
    return _zone_named(name)


@lru_cache(maxsize=256)
def _zone_named(name: str) -> tzinfo:
    if name in _kept:
        return zoneinfo.ZoneInfo.from_file(BytesIO(_kept[name]), name)
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error


def zone_name(zone: tzinfo | None = None) -> str:
    """Return the name by which `zone_named` finds a zone, or its offset now."""
    zone = current_zone() if zone is None else zone
    if isinstance(zone, zoneinfo.ZoneInfo) and zone.key:
        return zone.key
    return "UTC" if zone is UTC else offset_text(datetime.now(zone))


def zone_of(text: str) -> tzinfo | None:
    """Return the offset of an ISO 8601 moment; None where there is none."""
    try:
        return datetime.fromisoformat(text).tzinfo
    except ValueError:
        return None


def keep_zones() -> None:
    """Read all zones into memory, once: a memory snapshot has no files."""
    if _kept:
        return
    data = resources.files("tzdata")
    names = data.joinpath("zones").read_text("utf-8").split()
    for name in names:
        _kept[name] = data.joinpath("zoneinfo", *name.split("/")).read_bytes()


def wall_text(value: datetime | time) -> str:
    """Return a wall clock's time as inputs write it: as short as it can be."""
    text = value.replace(tzinfo=None).isoformat()
    if value.microsecond:
        return text.rstrip("0")
    return text if value.second else text.removesuffix(":00")
