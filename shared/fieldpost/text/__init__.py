"""Text: one canonical JSON, JSON from outside, and one way to fold and to sort what people read."""
