"""Around every request: who asks, what is refused, what every answer carries."""
