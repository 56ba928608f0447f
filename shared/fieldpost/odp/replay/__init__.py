"""Replay: one envelope applied to a session, the same on the server and on the device."""
