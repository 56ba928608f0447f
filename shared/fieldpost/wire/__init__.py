"""What travels between device and server: envelopes, receipts, versions, and what is signed."""
