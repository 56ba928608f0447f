"""Fieldpost, the part that runs in the browser only."""
