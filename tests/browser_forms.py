"""Forms as a browser reads, shows and sends them: what a control cannot hold is changed or lost."""

import re
from html.parser import HTMLParser

_SHOWN = {
    "date": re.compile(r"\d{4}-\d{2}-\d{2}"),
    "time": re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?"),
    "datetime-local": re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?"),
}
_TICKED = ("checkbox", "radio")
_NOT_SENT = ("file", "submit", "button", "reset", "image")


class BrowserForm(HTMLParser):
    """The record form of a page.

    Attributes:
        pairs: what is sent when nothing is touched, in order.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.pairs: list[tuple[str, str]] = []
        self._inside = False
        self._area: tuple[str, list[str]] | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        # the parser of HTML knows neither CR nor the zero character
        self.feed(html.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd"))

    def filled(self, **values: str) -> list[tuple[str, str]]:
        """Return what is sent when these controls were filled in; dots of names as two lines."""
        wanted = {name.replace("__", "."): value for name, value in values.items()}
        missing = wanted.keys() - {name for name, _ in self.pairs}
        assert not missing, f"the form has no {missing}"
        kept = [(name, value) for name, value in self.pairs if name not in wanted]
        return [*kept, *wanted.items()]

    def value(self, name: str) -> str:
        return dict(self.pairs)[name]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = "data-record-form" in have
        if not self._inside or ("name" not in have and tag != "option"):
            return
        if tag == "input" and have.get("type") not in _NOT_SENT:
            if have.get("type") not in _TICKED or "checked" in have:
                self._send(have["name"], _held(have.get("type", "text"), have.get("value", "")))
        elif tag == "textarea":
            self._area = have["name"], []
        elif tag == "select":
            self._select = have["name"], []
        elif tag == "option" and self._select:
            self._select[1].append((have.get("value", ""), "selected" in have))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "textarea" and self._area:
            name, parts = self._area
            self._send(name, "".join(parts).removeprefix("\n"))
            self._area = None
        elif tag == "select" and self._select:
            name, options = self._select
            chosen = [value for value, selected in options if selected]
            if options:
                self._send(name, chosen[-1] if chosen else options[0][0])
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self._area[1].append(data)

    def _send(self, name: str, value: str) -> None:
        self.pairs.append((name, value.replace("\n", "\r\n")))


def _held(kind: str, value: str) -> str:
    """Return what an input of a kind holds of a value."""
    if kind == "hidden" or kind in _TICKED:
        return value
    value = value.replace("\n", "")
    shape = _SHOWN.get(kind)
    if shape is None:
        return value
    if not shape.fullmatch(value):
        return ""
    if kind != "datetime-local":
        return value
    day, clock = re.split("[T ]", value)
    minutes, seconds, fraction = clock[:5], clock[6:8] or "00", clock[9:]
    if fraction.strip("0"):
        return f"{day}T{minutes}:{seconds}.{fraction:0<3}"
    return f"{day}T{minutes}" if seconds == "00" else f"{day}T{minutes}:{seconds}"
