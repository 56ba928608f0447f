"""What would be dangerous with anything from outside is nowhere in what is shipped (R65)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHIPPED = [ROOT / "shared", ROOT / "server", ROOT / "pwa" / "py", ROOT / "examples"]
PYTHON = sorted(path for folder in SHIPPED for path in folder.rglob("*.py"))
SCRIPTS = sorted(p for p in (ROOT / "pwa").rglob("*.js") if "vendor" not in p.parts)

CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "input"}
# parsers of what is no data only; clients of services; commands; guessable numbers; weak digests
MODULES = {
    *("pickle", "marshal", "shelve", "yaml", "xml", "lxml", "html.parser"),
    *("http.client", "urllib.request", "httpx", "requests", "socket", "smtplib", "ftplib"),
    *("imaplib", "telnetlib", "xmlrpc", "ldap3", "memcache", "subprocess", "pty", "ctypes"),
    *("random", "md5", "sha", "crypt", "telnetlib", "tempfile.mktemp"),
}
ALLOWED = {
    # Python itself, with the author's package and nothing of a request
    ("server/fieldpost_server/authoring/device_load.py", "subprocess"),
    # PostgreSQL's own programs, with what the settings say
    ("server/fieldpost_server/backup/programs.py", "subprocess"),
    # Node with a program of ours, in an empty environment, as the settings name it
    ("server/fieldpost_server/delivery/image_maker.py", "subprocess"),
    # the provider of identities that the operator names
    ("server/fieldpost_server/providers/openid.py", "httpx"),
    # the demo's data, always the same
    ("examples/inspections/server/seed.py", "random"),
    ("examples/inspections/server/pictures.py", "random"),
    # how long devices wait, so that not all of them come back at once
    ("pwa/py/fieldpost_client/sync/contact.py", "random"),
    # annotations, which are the author's own source
    ("shared/fieldpost/schema/models.py", "eval"),
}
WEAK = re.compile(r"\b(md5|sha1|MD5|SHA1|ECB|\bDES\b|RC4|PKCS1v15)\b")
IN_SCRIPTS = {
    "makes code of text": r"\beval\(|new Function\(|setTimeout\(\s*[\"'`]|import\(\s*location",
    "makes a page of text": r"\.(inner|outer)HTML\s*=|insertAdjacentHTML|document\.write|srcdoc",
    "hears other windows": r"window\.addEventListener\(\s*[\"']message|window\.onmessage",
    "speaks to other windows": r"\bparent\.postMessage|opener\.postMessage|top\.postMessage",
    "can be guessed": r"Math\.random\(",
    "reaches prototypes": r"__proto__|\.prototype\[|Object\.setPrototypeOf",
    "keeps in the open": r"localStorage\.setItem|sessionStorage\.setItem\((?!CHOSEN)",
}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def dangers(tree: ast.AST) -> Iterator[str]:
    """Yield the names of what a module calls or imports, as far as it is dangerous."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
            yield ast.unparse(node.func)
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            ways = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
            yield from sorted(ways & MODULES)


@pytest.mark.parametrize("path", PYTHON, ids=named)
def test_no_module_does_what_is_dangerous(path: Path) -> None:
    """No code of text, no pickles, no XML, no commands, no call of another service."""
    found = {(named(path), each) for each in dangers(ast.parse(path.read_text("utf-8")))}

    assert set() == found - ALLOWED
    assert not WEAK.search(path.read_text("utf-8"))


@pytest.mark.parametrize("path", PYTHON, ids=named)
def test_no_form_is_read_in_the_event_loop(path: Path) -> None:
    """Forms are read by `posted_forms` only, which does it where nobody waits (R66)."""
    calls = [each for each in ast.walk(ast.parse(path.read_text("utf-8"))) if _reads_form(each)]

    assert [] == calls


def _reads_form(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "request.form"


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
@pytest.mark.parametrize("what", IN_SCRIPTS)
def test_no_script_does_what_is_dangerous(path: Path, what: str) -> None:
    """Text stays text, and nobody but the page's own worker is heard."""
    assert re.findall(IN_SCRIPTS[what], path.read_text("utf-8")) == []


def test_nothing_is_allowed_that_nobody_does() -> None:
    """An exception that is not needed any more goes."""
    found = {
        (path, each)
        for path in {path for path, _ in ALLOWED}
        for each in dangers(ast.parse((ROOT / path).read_text("utf-8")))
    }
    assert found == ALLOWED


def test_what_is_dangerous_is_found() -> None:
    """These tests can fail."""
    code = "import xml.etree.ElementTree, os\nfrom urllib import request\nos.system(eval('1'))"
    assert {"xml", "urllib.request", "os.system", "eval"} == set(dangers(ast.parse(code)))
    for text, what in {
        "x.innerHTML = y": "makes a page of text",
        "eval(x)": "makes code of text",
        "window.addEventListener('message', f)": "hears other windows",
    }.items():
        assert re.search(IN_SCRIPTS[what], text)
