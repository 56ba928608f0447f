"""Makes memory images with Node, once for each version, and keeps them in a folder."""

import fcntl
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpost.errors import Code, DefinitionError, problem
from fieldpost_server.delivery.assets import Assets
from fieldpost_server.delivery.image import Image, kept_image
from fieldpost_server.settings import Settings

PROGRAM = Path(__file__).with_name("image.mjs")
NO_NODE = "no"
"""What `Settings.node` says where no images are to be made."""

LIBRARY = "python_stdlib.zip"

_MAKING_S = 900
_KEPT_VERSIONS = 4
_HALF = ".half"
# Node is told nothing of this machine: what it knows could come into the image
_ENVIRONMENT = {"TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class ImageMaker:
    """Makes the image of one version of the app.

    Attributes:
        assets: what devices get.
        folder: where images are kept, each in a folder of its own.
        node: the program of Node, or `NO_NODE`.
    """

    assets: Assets
    folder: Path
    node: str

    @classmethod
    def of(cls, settings: Settings, assets: Assets) -> "ImageMaker":
        """Return the maker that a server's settings describe."""
        return cls(assets, settings.image_folder, settings.node)

    @property
    def key(self) -> str:
        """Return what an image is kept under: a digest of all that it is made of, and how."""
        recipe = hashlib.sha256(PROGRAM.read_bytes() + self.assets.python_script()).hexdigest()
        return f"{self.assets.manifest['python_version']}-{recipe[:16]}"

    def kept(self) -> Image | None:
        """Return the image that was made before; None where there is none."""
        found = kept_image(self._place)
        if found is not None:
            with suppress(OSError):  # it may be another's folder, which is only read here
                self._place.touch()
        return found

    def image(self) -> Image:
        """Return the image that is kept, or make it; takes up to a minute.

        Whoever else makes it at the same time is waited for.

        Raises:
            DefinitionError: it cannot be made; the words say why.
            OSError: the folder cannot be written.
        """
        if (found := self.kept()) is not None:
            return found
        program = self._program()
        self.folder.mkdir(parents=True, exist_ok=True)
        with _alone(self.folder):
            # somebody else may have made it meanwhile
            if (found := self.kept()) is None:
                self._clear()
                found = self._made(program)
        return found

    @property
    def _place(self) -> Path:
        return self.folder / self.key

    def _program(self) -> str:
        found = None if self.node == NO_NODE else shutil.which(self.node)
        if found is None:
            raise _failed(f"Node, which makes it, is not there as '{self.node}'")
        return found

    def _made(self, program: str) -> Image:
        half = self.folder / f"{self.key}{_HALF}"
        (half / "in").mkdir(parents=True)
        # fault point: image-half-made — a folder whose name nobody takes for an image: whoever
        # makes the next one deletes it.
        files = self.assets.ingredients()
        for name, content in files.items():
            (half / "in" / name).write_bytes(content)
        wheels = [name for name in files if name.endswith(".whl")]
        wire = self.assets.wire_bytes()
        asked = {
            "app": self.assets.manifest["app"],
            "appVersion": self.assets.app_version,
            "wheels": wheels,
            "library": len(files[LIBRARY]),
            "notes": {
                "instead": sum(wire[name] for name in (LIBRARY, *wheels)),
                "yardstick": wire["pyodide.asm.wasm"],
            },
        }
        # in two processes: what is offered was started by one that has not made it
        for what in ("make", "check"):
            _run(program, half, {"do": what, **asked})
        shutil.rmtree(half / "in")
        # fault point: image-unnamed — as above; each of its files has its digest in the notes, so
        # that one which a power cut has damaged is found when it is read.
        half.rename(self._place)
        image = kept_image(self._place)
        if image is None:
            raise _failed("it is damaged where it is kept")
        return image

    def _clear(self) -> None:
        """Delete what is left of attempts, what is damaged, and all but the last versions."""
        folders = [each for each in self.folder.iterdir() if each.is_dir()]
        gone = [each for each in folders if each == self._place or each.suffix == _HALF]
        others = sorted(set(folders) - set(gone), key=lambda each: each.stat().st_mtime)
        for each in [*gone, *others[:-_KEPT_VERSIONS]]:
            # fault point: image-half-deleted — its notes name files that are gone, so that it is no
            # image: whoever makes the next one deletes the rest.
            shutil.rmtree(each)


def _run(program: str, folder: Path, asked: dict[str, Any]) -> None:
    command = [program, "--max-old-space-size=1024", str(PROGRAM)]
    try:
        done = subprocess.run(  # noqa: S603 - the program that an administrator has named
            command,
            cwd=folder,
            env=_ENVIRONMENT,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=_MAKING_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(f"Node could not {asked['do']} it in {_MAKING_S // 60} minutes") from error
    except OSError as error:
        raise _failed(f"Node could not be started ({error})") from error
    if done.returncode != 0:
        words = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise _failed(f"Node could not {asked['do']} it: {words[-500:]}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        # fault point: images-locked — the lock is the open file's and ends with the process, and
        # so does the Node that it has begun.
        yield


def _failed(why: str) -> DefinitionError:
    text = f"There is no memory image: {why}. Devices start without one, only more slowly."
    return DefinitionError([problem(Code.DEFINITION, "image", text=text)])
