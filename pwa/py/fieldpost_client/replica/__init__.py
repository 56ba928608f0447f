"""The rows on this device, and what it knows of itself and of the keys of its server."""
