"""Which record an envelope is about, by the key that its row has on this device now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost_client.outbox.outbox import Entry
from fieldpost_client.replica.device_state import KeyMap
from fieldpost_client.saving.remapped_keys import RemappedKeys


@dataclass(frozen=True, slots=True)
class RecordKeys:
    """Knows the records of envelopes.

    Attributes:
        remapped: reads envelopes of before.
        real: the real keys that rows have here instead of temporary ones.
        replayed: key of each replayed envelope's record, by envelope id.
    """

    remapped: RemappedKeys
    real: KeyMap
    replayed: Mapping[str, tuple[Any, ...]]

    def of(self, entry: Entry) -> tuple[str, tuple[Any, ...]]:
        """Return the model and the key of an envelope's record; empty where its page is gone."""
        page = self.remapped.app.pages.get(entry.envelope.page)
        if page is None:
            return "", ()
        model = page.spec.name
        key = self.replayed.get(entry.envelope.id, self.remapped.entry(entry).record)
        return model, tuple(
            self.real_key(model, part) or part if is_temporary(part) else part for part in key
        )

    def all_of(self, entry: Entry) -> list[tuple[Any, ...]]:
        """Return the keys of an envelope's records: also of those that it deletes."""
        model, key = self.of(entry)
        if key:
            return [key]
        operations = self.remapped.envelope(entry.envelope).operations
        return [
            tuple(self.real_key(model, p) or p if is_temporary(p) else p for p in each.key)
            for each in operations
            if each.do == "delete" and each.model == model and not each.at
        ]

    def real_key(self, model: str, temporary: int) -> int | None:
        """Return the real key that a temporary one became, once the rows here have it."""
        return self.real.get((model, temporary))
