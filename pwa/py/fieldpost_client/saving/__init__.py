"""From a submission to an entry that the store has kept, and what becomes of a refused one."""
