"""What stops a backup or a restore, in the catalogue's words."""

from typing import Any

from fieldpost.errors import Code, FieldpostError, problem


class BackupError(FieldpostError):
    """A backup cannot be made, believed or put back."""


def fault(code: Code, **words: Any) -> BackupError:
    """Return an error with one problem."""
    return BackupError([problem(code, "backup", **words)])
