"""Fieldpost, the part that runs on both sides.

App authors import from `fieldpost.app`, `fieldpost.pages`, `fieldpost.rules`, `fieldpost.types`,
`fieldpost.users`, `fieldpost.moments`, `fieldpost.pins` and `fieldpost.errors`. Everything else is
internal, in all three packages, and so is what says so.
"""

__version__ = "0.1.0"
