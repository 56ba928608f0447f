"""Fields that a rule's source names and its model has not: their words would lead nowhere."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator

from fieldpost.app import App
from fieldpost.rules import Rule, rules_of
from fieldpost.schema.models import Model


def misnamed_fields(app: App) -> Iterator[str]:
    """Yield in words what rules name that is not there; names that are made up are not seen."""
    for model in app.models.values():
        known = {*model.fields, *model.by_attribute, *model.children}
        for each in rules_of(model.cls):
            for path in _paths(each):
                if re.split(r"[.\[]", path, maxsplit=1)[0] not in known:
                    yield _words(each, model, path)


def _words(each: Rule, model: Model, path: str) -> str:
    known = ", ".join([*model.fields, *model.children])
    return (
        f"The rule '{each.name}' speaks of '{path}', which {model.cls.__name__} does not have, so "
        f"its words stand at no field. It has: {known}."
    )


def _paths(each: Rule) -> Iterator[str]:
    """Yield the paths of a rule's verdicts, as far as they stand in its source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(each.check)))
    except (OSError, SyntaxError, TypeError):
        return
    for node in ast.walk(tree):
        found = node.value if isinstance(node, ast.Yield | ast.Return) else None
        if not isinstance(found, ast.Tuple) or len(found.elts) != 2:
            continue
        path = found.elts[0].value if isinstance(found.elts[0], ast.Constant) else None
        if isinstance(path, str) and path:
            yield path
