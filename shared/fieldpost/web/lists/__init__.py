"""The menu and the lists of records, with their query."""
