"""A PIN for devices: what they keep is sealed, and the PIN opens it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

_SHORTEST, _LONGEST = 4, 32
_MOST_TRIES = 100


@dataclass(frozen=True, slots=True)
class Pin:
    """Devices keep everything encrypted, and open it with a PIN that their user chooses.

    Attributes:
        least: so many digits or letters a PIN has at least. Whoever has copied a device's files
            can try PINs for as long as she likes; each try costs a fraction of a second and 64 MB.
        idle: after so long without anybody the app is locked until the PIN is typed again.
        wipe_after: so many wrong PINs in a row remove everything from the device, also what is not
            at the office yet. None, as usual: wrong PINs are only slowed down.
    """

    least: int = 6
    idle: timedelta = timedelta(minutes=5)
    wipe_after: int | None = None

    def faults(self) -> list[str]:
        """Internal: say what of it cannot work."""
        found = []
        if not _SHORTEST <= self.least <= _LONGEST:
            found.append(
                f"'Pin(least=…)' must be between {_SHORTEST} and {_LONGEST}: shorter ones are "
                "guessed, and longer ones are written down."
            )
        if not timedelta(seconds=15) <= self.idle <= timedelta(days=1):
            found.append("'Pin(idle=…)' must be between 15 seconds and a day.")
        if self.wipe_after is not None and not 5 <= self.wipe_after <= _MOST_TRIES:
            found.append(
                f"'Pin(wipe_after=…)' must be between 5 and {_MOST_TRIES}: fingers slip, "
                "and what is not at the office yet would be lost."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Internal: return it as devices know it; times in seconds."""
        idle = int(self.idle.total_seconds())
        return {"least": self.least, "idle_s": idle, "wipe_after": self.wipe_after}
