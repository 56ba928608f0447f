"""The rows on this device: replica and working copy, and what it knows of itself."""
