"""Serves an office as a process of its own, which a drill ends without a warning."""

import sys
from typing import Any, cast

from apps.offices import NoAssets
from fieldpost_server.application import make_application
from fieldpost_server.cli.serve import serve
from fieldpost_server.settings import Settings

if __name__ == "__main__":
    settings = Settings.from_environment()
    serve(settings, make_application(settings, cast(Any, NoAssets(sys.argv[1]))))
