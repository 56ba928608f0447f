"""What is written is kept when its file and the names in its folder are on the disk."""

import os
from pathlib import Path


def synced(path: Path) -> None:
    """Have a file's content, or the names in a folder, on the disk; raises `OSError`."""
    handle = os.open(path, os.O_RDONLY)
    try:
        # fault point: names-unsynced — a power cut may take bytes and names back. A backup counts
        # from when its own name is on the disk, and all in it was before that; no row tells of an
        # attachment yet, and its upload goes on from what is there.
        os.fsync(handle)
    finally:
        os.close(handle)
