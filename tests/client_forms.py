"""Forms as a browser reads and sends them."""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

FORM = {"content-type": "application/x-www-form-urlencoded"}


class FormReader(HTMLParser):
    """Reads the fields of a page's form as a browser would submit them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._inside = False
        self._select = self._area = ""
        self._begins = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = "data-record-form" in have or have.get("class") == "confirm"
        if not self._inside:
            return
        name = have.get("name", "")
        if tag == "input" and name and have.get("type") not in ("file", "submit"):
            if have.get("type") not in ("checkbox", "radio") or "checked" in have:
                self._add(name, have.get("value", ""))
        elif tag == "textarea":
            self._area, self.fields[name], self._begins = name, "", True
        elif tag == "select":
            self._select = name
            self.fields.setdefault(name, "")
        elif tag == "option" and self._select and "selected" in have:
            self.fields[self._select] = have.get("value", "")

    def _add(self, name: str, value: str) -> None:
        """Take a value; several ticked boxes of one name become one list."""
        before = self.fields.get(name, "")
        several = before.startswith("[") and value.startswith("[")
        one = before if before.startswith("[[") else f"[{before}]"
        self.fields[name] = f"{one[:-1]}, {value}]" if several else value

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "textarea":
            self._area = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            # a browser drops the first line end
            self.fields[self._area] += data.removeprefix("\n") if self._begins else data
            self._begins = False


def posted(path: str, fields: dict[str, str]) -> dict[str, Any]:
    return {"method": "POST", "path": path, "headers": FORM, "body": urlencode(fields)}
