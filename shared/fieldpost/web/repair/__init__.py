"""Repair and discard, and one envelope to read."""
