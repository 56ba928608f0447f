"""Apps that exist for the tests only."""
