"""How server and device find the author's app by the name that the settings give it."""

import importlib

from fieldpost.app import App
from fieldpost.errors import Code, DefinitionError, problem


def load_app(name: str) -> App:
    """Import an author's app, named as ``package.module:attribute``.

    Raises:
        DefinitionError: it cannot be found, or is no app.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute or "app")
    except (ImportError, AttributeError, ValueError) as error:
        text = f"The app '{name}' cannot be loaded: {error}. Name it as package.module:attribute."
        raise DefinitionError([problem(Code.DEFINITION, "app", text=text)]) from error
    if not isinstance(found, App):
        text = f"'{name}' is no App. Name the attribute that holds it."
        raise DefinitionError([problem(Code.DEFINITION, "app", text=text)])
    return found
