"""What is distributed can be built, installed and run without Node and without a clone (R61)."""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fieldpost_server.delivery import wheels

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=outside(),
        capture_output=True,
        text=True,
        check=False,
    )


def outside() -> dict[str, str]:
    """Return an environment that knows nothing of this clone."""
    hers = {k: v for k, v in os.environ.items() if not k.startswith("FIELDPOST_")}
    return {k: v for k, v in hers.items() if k not in ("PYTHONPATH", "PORT", "VIRTUAL_ENV")}


def build(target: str, source: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    return run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, cwd=source)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source distribution of this clone."""
    folder = tmp_path_factory.mktemp("sdist")
    done = build("sdist", ROOT, folder)
    assert 0 == done.returncode, done.stderr
    (found,) = folder.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is made of the source distribution, somewhere else."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    done = build("wheel", source, folder)
    assert 0 == done.returncode, done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment with the wheel; what it needs is borrowed."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
    ]
    done = run(*pip, wheel, cwd=folder)
    assert 0 == done.returncode, done.stderr
    (site,) = folder.glob("lib/python*/site-packages")
    # as text on the path: what is editable there stays unknown
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin"


def test_the_wheel_is_what_is_imported(installed: Path) -> None:
    """The tests of this file are of the wheel, not of this clone."""
    code = "import fieldpost, fieldpost_server, inspections; print(inspections.__file__)"
    done = run(installed / "python", "-c", code, cwd=installed)

    assert 0 == done.returncode, done.stderr
    assert str(installed.parent) in done.stdout


def test_what_it_consists_of_comes_along(wheel: Path, sdist: Path) -> None:
    """The bill of materials and the licences are in what is distributed."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name.partition(".dist-info/")[2] for name in archive.namelist()}
    with tarfile.open(sdist) as archive:
        sources = {name.partition("/")[2] for name in archive.getnames()}

    assert {"sboms/sbom.cdx.json", "licenses/LICENSE", "licenses/pwa/licences.txt"} <= names
    assert {"sbom.cdx.json", "SECURITY.md", "pwa/licences.txt"} <= sources


def test_an_installed_check_finds_everything(installed: Path, tmp_path: Path) -> None:
    """The browser parts come along: nothing is missing but the installation of a database."""
    fieldpost: list[str | Path] = [
        installed / "fieldpost",
        "--app",
        "inspections.app:app",
        "--data",
        tmp_path,
    ]

    first = run(*fieldpost, "db", "install", cwd=tmp_path)
    done = run(*fieldpost, "check", cwd=tmp_path)

    assert 0 == first.returncode, first.stderr
    assert 0 == done.returncode, done.stdout + done.stderr


READY = """
from pathlib import Path
import fieldpost_server
from fieldpost_server.delivery.assets import Assets
from fieldpost_server.packing.cache import Cache
package = Path(fieldpost_server.__file__).parent
folders = package / "pwa", package / "node_modules"
made = Assets("inspections.app:app", *folders, cache=Cache(None, package / "ready"))
kept = {path.name for path in (package / "ready").iterdir()}
entries = [*made.manifest["shell"], *made.manifest["pyodide"]["files"], *made.manifest["wheels"]]
for entry in entries:
    name = entry["url"].rpartition("/")[2]
    if f"br-{entry['sha256']}" not in kept and entry["size"] > 1000 and not name.endswith(".png"):
        print(name.partition("-")[0])
"""


def test_what_is_the_same_everywhere_came_compressed(installed: Path) -> None:
    """A server compresses only the author's app and what it has installed beside Fieldpost (R9)."""
    done = run(installed / "python", "-c", READY, cwd=installed)

    assert 0 == done.returncode, done.stderr
    installed_here = {name.replace("-", "_") for name in wheels.DISTRIBUTIONS}
    assert {*installed_here, "inspections"} >= set(done.stdout.split())


@pytest.fixture
def demo(installed: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the demo, started from the wheel."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [installed / "fieldpost", "--data", tmp_path, "--port", str(port), "demo"]
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=tmp_path,
        env=outside(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(900):
        if process.poll() is not None:
            pytest.fail(process.communicate()[1])
        try:
            httpx.get(f"{address}/health")
            break
        except httpx.TransportError:
            time.sleep(0.1)
    yield address
    process.kill()
    process.communicate()


def test_the_demo_runs_from_the_wheel(demo: str) -> None:
    """Whoever installs Fieldpost can try it: pages, and all that a browser loads."""
    with httpx.Client(base_url=demo, follow_redirects=True) as client:
        page = client.post("/sign-in", data={"name": "office", "password": "demo"})
        manifest = client.get("/assets/manifest.json").json()
        wheels = [entry["url"] for entry in manifest["wheels"]]
        sizes = {url: len(client.get(url).content) for url in wheels}

    assert "Inspections" in page.text
    assert any("/inspections-" in url for url in wheels)
    assert all(sizes.values())


def test_a_clone_without_the_browser_parts_says_what_to_do(tmp_path: Path) -> None:
    """Words, and no trace: npm has to bring them first."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "scripts", "shared"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)

    for target in ("wheel", "sdist"):
        done = build(target, tmp_path, tmp_path / "out")
        assert 1 == done.returncode
        assert "npm ci --omit=dev" in done.stderr
        assert "Traceback" not in done.stderr
