"""A database that was put back: its timelines, what devices lost, how older envelopes are read."""
