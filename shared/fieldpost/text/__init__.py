"""Text: one canonical JSON, JSON from outside, and one way to fold case."""
