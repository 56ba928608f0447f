"""The command `fieldpost build`: what is made ahead for devices."""

from typing import Any

from fieldpost_server.application import make_assets
from fieldpost_server.authoring.device_load import load_as_a_device
from fieldpost_server.cli.command import Command, declare
from fieldpost_server.delivery.image_maker import ImageMaker


def declare_build(commands: Any) -> None:
    """Declare the command."""
    declare(commands, "build", _build, "make ahead what devices start from")


def _build(command: Command) -> None:
    settings, app = command.settings, command.app
    load_as_a_device(settings.app, app.files)
    assets = make_assets(settings, app)
    assets.compress()
    image = ImageMaker.of(settings, assets).image()
    command.show(
        {
            "folder": str(image.folder),
            "bytes": image.packed,
            "unpacked": image.size,
            "parts": len(image.parts),
        }
    )
