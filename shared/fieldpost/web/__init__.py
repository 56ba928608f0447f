"""Lists and forms as Starlette routes and Jinja templates: one user interface for both homes."""
