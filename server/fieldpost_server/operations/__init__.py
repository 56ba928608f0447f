"""Keeping a server in order: health and housekeeping."""
