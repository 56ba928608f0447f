"""From a submission to an entry of the outbox, and what becomes of a refused one."""
