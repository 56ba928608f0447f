"""What devices tell of themselves, and what those that are revoked are ordered."""
