"""From a filled-in form to operations: rows, what differs, and what is not right yet."""
