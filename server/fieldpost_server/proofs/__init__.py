"""Proofs: what every table of a device must come to, kept and brought forward from the changes."""
