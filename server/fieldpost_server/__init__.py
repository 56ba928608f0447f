"""Fieldpost, the part that runs on the server only."""
