"""A device's copy of the rows: its tables, rows as they travel, and checksums over them."""
