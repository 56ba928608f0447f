"""What an envelope says of others: temporary keys, what it builds on, which app made it."""
