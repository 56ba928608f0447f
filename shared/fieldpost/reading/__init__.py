"""What a user may read: of each model which rows, and of each row which columns."""
