"""CHECK constraints of a table, read as limits of its fields, so that a form says what they say.

Only comparisons of one column with what stands in the text are read, joined by AND; anything else
is left to the database. A limit that was misread would refuse what is right.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import annotated_types as at
import sqlalchemy as sa

from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.values import ValueProblem

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*"|\[[^\]]*\]|`[^`]*`)
    | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+))(?![\w.])
    | (?P<word>[^\W\d]\w*)
    | (?P<sign><=|>=|<>|!=|::|[<>=(),.])
    )""",
    re.VERBOSE,
)
_NAME = re.compile(r"""["`\[]([^"`\]]+)["`\]]|([^\W\d]\w*)""")
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "="}
_LENGTHS = ("LENGTH", "CHAR_LENGTH")
_KINDS = frozenset(
    {Kind.TEXT, Kind.LONG_TEXT, Kind.INTEGER, Kind.DECIMAL, Kind.DATE, Kind.TIME, Kind.DATETIME}
)

Token = tuple[str, str]


class _Unread(ValueError):
    """The text is more than limits of columns."""


def limited(field: Field, table: sa.Table) -> Field:
    """Return a field with what the table's CHECK constraints say of its column."""
    if field.kind not in _KINDS:
        return field
    more = [
        limit
        for constraint in table.constraints
        if isinstance(constraint, sa.CheckConstraint)
        for name, limit in _limits(_text(constraint), table, field)
        if name == field.column.name and limit not in field.constraints
    ]
    return replace(field, constraints=(*field.constraints, *more)) if more else field


def columns_of(constraint: sa.CheckConstraint, table: sa.Table) -> list[str]:
    """Return the columns that a CHECK constraint names, in its order."""
    text = re.sub("'(?:[^']|'')*'", "", _text(constraint))
    names = (quoted or word for quoted, word in _NAME.findall(text))
    return [name for name in dict.fromkeys(names) if name in table.columns]


def text_of(constraint: sa.CheckConstraint) -> str:
    """Return a CHECK constraint's text, as databases repeat it: without quotes and spaces."""
    return re.sub(r"""[\s"`\[\]]+""", "", _text(constraint)).lower()


def _text(constraint: sa.CheckConstraint) -> str:
    try:
        compiled = constraint.sqltext.compile(compile_kwargs={"literal_binds": True})
    except sa.exc.CompileError:
        return "?"
    return str(compiled)


def _limits(text: str, table: sa.Table, field: Field) -> Iterator[tuple[str, Any]]:
    try:
        found = [each for term in _terms(_tokens(text), table) for each in _read(term, field)]
    except (_Unread, ValueProblem):
        return
    yield from found


def _tokens(text: str) -> list[Token]:
    found, at_ = list[Token](), 0
    text = text.strip()
    while at_ < len(text):
        match = _TOKEN.match(text, at_)
        if match is None or match.lastgroup is None:
            raise _Unread(text)
        kind, value = match.lastgroup, match[match.lastgroup]
        if kind == "quoted":
            value = value[1:-1].replace('""', '"')
        elif kind == "text":
            value = value[1:-1].replace("''", "'")
        found.append((kind, value))
        at_ = match.end()
    return found


def _terms(tokens: Sequence[Token], table: sa.Table) -> Iterator[list[Token]]:
    """Yield the comparisons that all hold."""
    plain = _unwrapped(_without_tables(tokens, table))
    # NULL is no value to check: a form asks for that by itself
    if len(plain) > 4 and [_word(t) for t in plain[1:4]] == ["IS", "NULL", "OR"]:
        rest = _unwrapped(plain[4:])
        if {t[1] for t in rest if _is_column(t, table)} != {plain[0][1]}:
            raise _Unread("OR")
        plain = rest
    known = {"AND", "BETWEEN", "IN", *_LENGTHS}
    if any(kind == "word" and not _is_column((kind, v), table) and v.upper() not in known
           for kind, v in plain):  # fmt: skip
        raise _Unread("a word")
    term, depth, between = list[Token](), 0, False
    for token in plain:
        depth += {"(": 1, ")": -1}.get(token[1] if token[0] == "sign" else "", 0)
        between |= _word(token) == "BETWEEN" and not depth
        if _word(token) == "AND" and not depth and not between:
            yield from _inner(term, table)
            term = []
            continue
        between &= _word(token) != "AND"
        term.append(token)
    yield from _inner(term, table)


def _inner(term: list[Token], table: sa.Table) -> Iterator[list[Token]]:
    bare = _unwrapped(term)
    if len(bare) < len(term):
        yield from _terms(bare, table)
    else:
        yield bare


def _without_tables(tokens: Sequence[Token], table: sa.Table) -> list[Token]:
    """Return the tokens without the table before a column, and without casts."""
    found, left = list[Token](), list(tokens)
    while left:
        token = left.pop(0)
        if left[:1] == [("sign", ".")] and token[1] == table.name:
            left.pop(0)
        elif token == ("sign", "::"):
            if not left or left.pop(0)[0] != "word":
                raise _Unread("a cast")
        else:
            found.append(token)
    return found


def _unwrapped(tokens: list[Token]) -> list[Token]:
    while len(tokens) > 2 and tokens[0] == ("sign", "(") and tokens[-1] == ("sign", ")"):
        depth = 0
        for place, token in enumerate(tokens):
            depth += {("sign", "("): 1, ("sign", ")"): -1}.get(token, 0)
            if not depth and place < len(tokens) - 1:
                return tokens
        tokens = tokens[1:-1]
    return tokens


def _word(token: Token) -> str:
    return token[1].upper() if token[0] == "word" else ""


def _is_column(token: Token, table: sa.Table) -> bool:
    return token[0] in ("quoted", "word") and token[1] in table.columns


def _read(term: list[Token], field: Field) -> Iterator[tuple[str, Any]]:
    """Yield the limits in one comparison; nothing where it is of other columns, or of several."""
    name, kinds = field.column.name, [kind for kind, _ in term]
    values = [value for _, value in term]
    if len(term) == 6 and _word(term[0]) in _LENGTHS and values[2] == name:
        yield from _length(values[4], values[5], name)
    elif len(term) == 3 and kinds[1] == "sign":
        if values[0] == name and kinds[2] in ("text", "number"):
            yield from _compared(values[1], values[2], field)
        elif values[2] == name and kinds[0] in ("text", "number") and values[1] in _FLIPPED:
            yield from _compared(_FLIPPED[values[1]], values[0], field)
    elif len(term) == 5 and values[0] == name and _word(term[1]) == "BETWEEN":
        yield from _compared(">=", values[2], field)
        yield from _compared("<=", values[4], field)
    elif len(term) > 4 and values[0] == name and _word(term[1]) == "IN":
        among = [value for kind, value in term[3:-1] if kind in ("text", "number")]
        if 2 * len(among) - 1 == len(term[3:-1]):
            allowed = frozenset(field.codec.from_text(each) for each in among)
            yield name, at.Predicate(partial(_is_among, allowed))


def _is_among(allowed: frozenset[Any], value: Any) -> bool:
    return value in allowed


def _length(sign: str, number: str, name: str) -> Iterator[tuple[str, Any]]:
    if not number.isdecimal():
        return
    limit = int(number)
    match sign:
        case ">=":
            yield name, at.MinLen(limit)
        case ">":
            yield name, at.MinLen(limit + 1)
        case "<=":
            yield name, at.MaxLen(limit)
        case "<":
            yield name, at.MaxLen(limit - 1)


def _compared(sign: str, text: str, field: Field) -> Iterator[tuple[str, Any]]:
    limit, name = field.codec.from_text(text), field.column.name
    if sign == "=":
        yield name, at.Predicate(partial(_is_among, frozenset([limit])))
        return
    if field.kind in (Kind.TEXT, Kind.LONG_TEXT):
        return  # databases disagree on the order of texts
    made: dict[str, Any] = {">=": at.Ge, ">": at.Gt, "<=": at.Le, "<": at.Lt}
    if sign in made:
        yield name, made[sign](limit)
