"""Quotas: how much of the server's work and space one user may have in a day."""
