"""What Fieldpost consists of: sbom.cdx.json for machines, pwa/licences.txt for people.

Usage: python scripts/inventory.py. The former is made from the lock files, and says of all that is
installed or served in which version, with which hashes and under which licence it is; the latter
holds the licences of what devices get. `tests/test_inventory.py` compares both with what is there.
"""

import base64
import json
import re
import tomllib
import uuid
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from fieldpost_server.delivery.wheels import DISTRIBUTIONS, notices_of

ROOT = Path(__file__).parent.parent
SBOM = ROOT / "sbom.cdx.json"
LICENCES = ROOT / "pwa" / "licences.txt"
VENDORED = ROOT / "pwa" / "vendor" / "vendored.lock"

Component = dict[str, Any]

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
# of packages that say it in words only
_SPDX = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


def pins(lock: Path) -> dict[str, tuple[str, list[str]]]:
    """Return of each package in a lock file of Python its version, and the hashes of its files."""
    found: dict[str, tuple[str, list[str]]] = {}
    name = ""
    for line in lock.read_text("utf-8").splitlines():
        if pin := _PIN.match(line):
            name = pin[1]
            found[name] = (pin[2], [])
        if name:
            found[name][1].extend(_HASH.findall(line))
    return found


def licence_of(distribution: str) -> str:
    """Return the SPDX expression of an installed package; empty where it is not installed."""
    try:
        said = metadata.metadata(distribution)
    except metadata.PackageNotFoundError:
        return ""  # of another system than this one
    if "License-Expression" in said:
        return said["License-Expression"]
    known = [_SPDX[each] for each in said.get_all("Classifier") or [] if each in _SPDX]
    return known[0] if known else said["License"]


def sbom() -> str:
    """Return the text of sbom.cdx.json, a bill of materials of CycloneDX 1.6."""
    runtime, every = pins(ROOT / "requirements.lock"), pins(ROOT / "requirements-dev.lock")
    components = [
        *(_python(name, *pin, is_shipped=name in runtime) for name, pin in every.items()),
        *(_python(name, *pin, is_shipped=True) for name, pin in pins(VENDORED).items()),
        *_npm(),
    ]
    components.sort(key=lambda each: str(each["bom-ref"]))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    name = project["name"]
    own = {"type": "application", "bom-ref": f"pkg:pypi/{name}", "name": name}
    own |= {"purl": f"pkg:pypi/{name}", "licenses": [{"license": {"id": project["license"]}}]}
    required = [each["bom-ref"] for each in components if each["scope"] == "required"]
    seen = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components))
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{seen}",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
        "dependencies": [{"ref": own["bom-ref"], "dependsOn": required}],
    }
    return json.dumps(document, indent=1) + "\n"


def licences() -> str:
    """Return the text of pwa/licences.txt."""
    parts = [
        "What this app brings onto a device, and the licences of it.",
        f"Fieldpost\n\n{(ROOT / 'LICENSE').read_text('utf-8')}",
        (ROOT / "scripts" / "runtime-licences.txt").read_text("utf-8"),
        *_python_texts(),
        *_npm_texts(),
    ]
    return f"\n{'=' * 80}\n\n".join(f"{part.strip()}\n" for part in parts)


def _python(name: str, version: str, hashes: list[str], *, is_shipped: bool) -> Component:
    component = _component("pypi", name, version, licence_of(name), is_shipped=is_shipped)
    if not is_shipped:
        return component  # a tool: its hashes are in the lock
    return component | {"hashes": [{"alg": "SHA-256", "content": each} for each in sorted(hashes)]}


def _npm() -> Iterator[Component]:
    lock = json.loads((ROOT / "package-lock.json").read_bytes())
    for place, each in lock["packages"].items():
        if not place:
            continue
        name = place.rpartition("node_modules/")[2]
        is_shipped = not each.get("dev", False)
        licence = each.get("license", "")
        component = _component("npm", name, each["version"], licence, is_shipped=is_shipped)
        algorithm, _, digest = each["integrity"].partition("-")
        content = base64.b64decode(digest).hex()
        yield component | {"hashes": [{"alg": _algorithm(algorithm), "content": content}]}


def _algorithm(name: str) -> str:
    return re.sub(r"^sha(\d+)$", r"SHA-\1", name)


def _component(kind: str, name: str, version: str, licence: str, *, is_shipped: bool) -> Component:
    purl = f"pkg:{kind}/{name.replace('@', '%40')}@{version}"
    found: Component = {"type": "library", "bom-ref": purl, "name": name, "version": version}
    found |= {"purl": purl, "scope": "required" if is_shipped else "excluded"}
    if licence:
        simple = re.fullmatch(r"[A-Za-z0-9.-]+", licence)
        said = {"license": {"id": licence}} if simple else {"expression": licence}
        found["licenses"] = [said]
    return found


def _python_texts() -> Iterator[str]:
    for name in DISTRIBUTIONS:
        texts = notices_of(name).values()
        yield f"{name} ({licence_of(name)})\n\n" + "\n\n".join(text.decode() for text in texts)
    (wheel,) = VENDORED.parent.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if "LICENSE" in n and not n.endswith(".py")]
        texts_of_it = [archive.read(name).decode() for name in sorted(names)]
    # the Mozilla Public License asks to say where the source is of what is handed on changed
    yield (
        "micropip (MPL-2.0), with packaging\n\nDevices get it without comments and docstrings. Its "
        f"source is {wheel.name} of the Python Package Index, and in pwa/vendor of Fieldpost's own "
        "source.\n\n" + "\n\n".join(texts_of_it)
    )


def _npm_texts() -> Iterator[str]:
    said = json.loads((ROOT / "package.json").read_bytes())
    for name in sorted(said["dependencies"]):
        text = ROOT / "node_modules" / name / "LICENSE"
        if name != "pyodide":  # above
            yield f"{name}\n\n{text.read_text('utf-8')}"


if __name__ == "__main__":
    SBOM.write_text(sbom(), "utf-8")
    LICENCES.write_text(licences(), "utf-8")
