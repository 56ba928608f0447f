"""What is installed and shipped is known: versions, hashes, licences, and nothing beside (R64)."""

import base64
import hashlib
import json
import re
import subprocess
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fieldpost_server.delivery import wheels
from inventory import LICENCES, SBOM, VENDORED, licence_of, licences, pins, sbom

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock", "scripts/lock-tool.lock")
MAY_SHIP = {"0BSD", "Apache-2.0", "BSD-3-Clause", "MIT", "MPL-2.0", "PSF-2.0"}
MAY_SERVE = MAY_SHIP | {"LGPL-3.0-only", "MIT-0", "Apache-2.0 OR BSD-3-Clause"}
MAY_SERVE |= {"Apache-2.0 OR BSD-2-Clause"}


def declared() -> dict[str, list[Requirement]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found = tomllib.load(file)
    needed = [*found["project"]["dependencies"], *found["build-system"]["requires"]]
    tools = found["project"]["optional-dependencies"]["dev"]
    return {
        "requirements.lock": [Requirement(each) for each in needed],
        "requirements-dev.lock": [Requirement(each) for each in [*needed, *tools]],
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_has_its_hashes(lock: str) -> None:
    """No package, of any depth, is installed but as a file that is known."""
    text = (ROOT / lock).read_text("utf-8")
    found = pins(ROOT / lock)
    starts = [line for line in text.splitlines() if line and line[0] not in "# "]

    assert len(starts) == len(found) > 0
    assert [] == [name for name, (_, hashes) in found.items() if not hashes]
    assert not re.search(r"https?://|^-|--index|--find-links", text, re.MULTILINE)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_holds_what_is_declared_and_what_is_installed(lock: str) -> None:
    """Each range of pyproject.toml has its pin, and the tests ran with these very versions."""
    found = {canonicalize_name(name): pin[0] for name, pin in pins(ROOT / lock).items()}
    wrong = [
        str(each)
        for each in declared()[lock]
        if not each.specifier.contains(found.get(canonicalize_name(each.name), "0"))
    ]
    assert [] == wrong

    here = {
        canonicalize_name(each.metadata["Name"]): each.version for each in metadata.distributions()
    }
    assert {} == {n: here[n] for n in found.keys() & here.keys() if here[n] != found[n]}


def test_the_server_is_locked_as_it_is_tested() -> None:
    """What `make demo` installs is a part of what `make setup` installs."""
    every = pins(ROOT / "requirements-dev.lock")

    assert {} == {n: p for n, p in pins(ROOT / "requirements.lock").items() if every.get(n) != p}


def test_nothing_is_installed_past_the_locks() -> None:
    """Makefile and scripts install by hash, and this clone with what came so."""
    done = subprocess.run(
        ["make", "--always-make", "--dry-run", "setup"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    scripts = [path.read_text("utf-8") for path in (ROOT / "scripts").iterdir() if path.is_file()]
    lines = "\n".join([done.stdout, (ROOT / ".ci" / "run").read_text("utf-8"), *scripts])
    by_pip = re.findall(r"^.*\bpip install\b.*$", lines, re.MULTILINE)
    by_npm = re.findall(r"^\s*npm .*$", done.stdout, re.MULTILINE)

    assert 4 == len(by_pip)
    for line in by_pip:
        by_hash = "--require-hashes --only-binary :all:" in line
        assert by_hash or "--no-deps --no-build-isolation --editable ." in line
    assert by_npm
    for line in by_npm:
        assert line.strip().startswith("npm ci ")
        assert "--ignore-scripts" in line


def test_every_package_of_npm_has_its_hash() -> None:
    """`npm ci` takes nothing but what the lock says, from wherever it comes."""
    lock = json.loads((ROOT / "package-lock.json").read_bytes())
    found = {place: each for place, each in lock["packages"].items() if place}

    assert len(found) > 50
    for place, each in found.items():
        algorithm, _, digest = each["integrity"].partition("-")
        assert ("sha512", 64) == (algorithm, len(base64.b64decode(digest))), place
        assert "resolved" not in each


def test_what_is_kept_here_is_as_it_came() -> None:
    """The one wheel in this repository has its hash beside it."""
    (wheel,) = VENDORED.parent.glob("*.whl")
    ((name, (version, hashes)),) = pins(VENDORED).items()

    assert wheel.name == f"{name}-{version}-py3-none-any.whl"
    assert hashes == [hashlib.sha256(wheel.read_bytes()).hexdigest()]


def test_the_bill_of_materials_is_of_these_locks() -> None:
    """Who adds a package runs `python scripts/inventory.py`."""
    assert sbom() == SBOM.read_text("utf-8")


def test_the_bill_of_materials_is_cyclonedx() -> None:
    """Each component has a name, a version, a purl, hashes of the right length and a licence."""
    found: dict[str, Any] = json.loads(SBOM.read_bytes())
    assert ("CycloneDX", "1.6", 1) == tuple(
        found[k] for k in ("bomFormat", "specVersion", "version")
    )
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found["serialNumber"]
    )
    refs = [each["bom-ref"] for each in found["components"]]
    assert len(refs) == len(set(refs)) > 100
    sizes = {"SHA-256": 64, "SHA-512": 128}
    for each in found["components"]:
        kind = each["purl"].partition(":")[2].partition("/")[0]
        assert each["purl"] == f"pkg:{kind}/{each['name'].replace('@', '%40')}@{each['version']}"
        hashes = each.get("hashes", [])
        assert all(len(one["content"]) == sizes[one["alg"]] for one in hashes)
        assert hashes or each["scope"] == "excluded"
    (depends,) = found["dependencies"]
    assert set(depends["dependsOn"]) == {
        each["bom-ref"] for each in found["components"] if each["scope"] == "required"
    }


def test_licences_of_what_is_installed_are_known() -> None:
    """Nothing comes along whose terms nobody has looked at."""
    found = json.loads(SBOM.read_bytes())
    said = {
        each["purl"]: [one.get("expression") or one["license"]["id"] for one in each["licenses"]]
        for each in found["components"]
        if each["scope"] == "required"
    }

    assert {} == {purl: names for purl, names in said.items() if not set(names) <= MAY_SERVE}
    assert set() == {licence_of(name) for name in wheels.DISTRIBUTIONS} - MAY_SHIP


def test_licences_of_what_devices_get_are_the_present_ones() -> None:
    """Who changes what is shipped runs `python scripts/inventory.py`."""
    assert licences() == LICENCES.read_text("utf-8")


@pytest.mark.parametrize("name", wheels.DISTRIBUTIONS)
def test_a_wheel_for_devices_keeps_its_licence(name: str, tmp_path: Path) -> None:
    """MIT, BSD, Apache and PSF ask for their notice in every copy."""
    path = tmp_path / "a.whl"
    path.write_bytes(wheels.installed_wheel(name).content)
    with zipfile.ZipFile(path) as archive:
        texts = [archive.read(n) for n in archive.namelist() if ".dist-info/licenses/" in n]

    assert texts
    assert all(texts)
