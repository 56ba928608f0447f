"""Offers devices the memory image as soon as there is one; nobody waits for that."""

from threading import Thread

from fieldpost.errors import FieldpostError
from fieldpost_server.delivery.assets import Assets
from fieldpost_server.delivery.image import Image
from fieldpost_server.delivery.image_maker import NO_NODE, ImageMaker
from fieldpost_server.log import log
from fieldpost_server.settings import Settings


def offer_image(settings: Settings, assets: Assets) -> Thread | None:
    """Offer the image that is kept, or make it beside everything else; returns who does that."""
    maker = ImageMaker.of(settings, assets)
    if (kept := maker.kept()) is not None:
        _offer(assets, kept)
        return None
    if settings.node == NO_NODE:
        return None
    # a daemon: a server that is told to end does not wait for it
    thread = Thread(target=_make, args=(maker,), name="memory image", daemon=True)
    thread.start()
    return thread


def _make(maker: ImageMaker) -> None:
    try:
        image = maker.image()
    except (FieldpostError, OSError) as error:
        log("no memory image is offered", cause=str(error))
        return
    _offer(maker.assets, image)


def _offer(assets: Assets, image: Image) -> None:
    assets.offer(image)
    log("memory image offered", bytes=image.packed, parts=len(image.parts))
