"""Web devices: those that the server keeps for people who work online."""

WEB = "web"
"""Kind of such devices, and the beginning of their ids."""


def web_device(user: str) -> str:
    """Return the id of the device that is kept for a person."""
    return f"{WEB}-{user}"


def is_web(device: str) -> bool:
    """Say whether a device is one that the server keeps for a person."""
    return device.startswith(f"{WEB}-")
