"""Keeping in step with the server: push, pull, first download, attachments."""
