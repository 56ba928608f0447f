"""Pages that only the server has: signing in, the designer, supervision, errors."""
