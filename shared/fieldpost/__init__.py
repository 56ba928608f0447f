"""Fieldpost, the part that runs on both sides: app authors import from its modules."""

__version__ = "0.1.0"
