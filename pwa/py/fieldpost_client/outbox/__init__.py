"""The outbox: envelopes that the server has not confirmed, and how they depend on each other."""
