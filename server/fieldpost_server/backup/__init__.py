"""Backups: one consistent point of rows, keys, ledger and attachments; proven, and put back."""
