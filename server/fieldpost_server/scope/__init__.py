"""Which pages are offline, and which rows a user's device has."""
