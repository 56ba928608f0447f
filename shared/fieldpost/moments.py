"""When: the person's day and clock, and how days and moments are told.

Every moment is shown and read in the zone of the person who looks: that of her device, or the one
that the office has set. What has no offset is a wall clock's time and is never converted.
"""

from datetime import UTC, date, datetime, time

from fieldpost.ground.zones import current_zone, local, moments_of, offset_words

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def today() -> date:
    """Return the person's day, to be used as a column's `default` and in rules."""
    return now().date()


def now() -> datetime:
    """Return this moment with the person's offset."""
    return datetime.now(current_zone())


def wall_now() -> datetime:
    """Internal: return what the person's clock shows, without an offset."""
    return now().replace(tzinfo=None)


def moment_of(text: object) -> datetime | None:
    """Internal: return the moment that a text from outside says, in UTC; None where it is none.

    Neither is one without an offset, nor what no calendar holds: in the year 1 east of Greenwich.
    """
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        return None if found is None or found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def day_words(day: date) -> str:
    """Return a day as all pages tell it: '1 Jul 2026'."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def time_words(value: time | datetime) -> str:
    """Return a time of day: '09:55'."""
    return f"{value:%H:%M}"


def moment_words(moment: datetime) -> str:
    """Return a moment as the person's clock shows it: '1 Jul 2026, 09:55'.

    In the hour that clocks repeat it is said which of the two is meant.
    """
    shown = local(moment)
    words = f"{day_words(shown)}, {time_words(shown)}"
    if moment.tzinfo is None or len(moments_of(shown.replace(tzinfo=None, fold=0))) < 2:
        return words
    return f"{words} ({offset_words(shown)})"


def told(value: object) -> str | None:
    """Internal: return a day, a time or a moment in words; None for everything else."""
    match value:
        case datetime():
            return moment_words(value)
        case date():
            return day_words(value)
        case time():
            return time_words(value)
        case _:
            return None
