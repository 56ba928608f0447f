"""What a device tells of itself, and what it does when the office orders it to wipe itself."""
