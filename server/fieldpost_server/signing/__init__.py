"""Receipts are signed: the keys, the signer, and the audit of what was signed."""
