"""Between Starlette, Jinja and the handlers."""
