"""Runs the command line as ``python -m fieldpost_server.cli``."""

import sys

from fieldpost_server.cli.main import main

sys.exit(main())
