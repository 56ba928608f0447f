"""Envelopes that could not be applied, or are read later than they were made."""
