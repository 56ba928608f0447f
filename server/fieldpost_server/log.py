"""Structured logs: one JSON object in a line, on standard error."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

logger = logging.getLogger("fieldpost")
"""The server's logger. Levels: info (what happened), warning (somebody should look), error."""


class JsonFormatter(logging.Formatter):
    """Format a record as JSON: at, level, event, the call's ``extra={"fields": {…}}``, error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        entry |= getattr(record, "fields", {})
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def start_logging(level: int = logging.INFO) -> None:
    """Send everything that is logged to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # requests are logged by `request_log.py` with user and time taken
    logging.getLogger("uvicorn.access").disabled = True


def log(
    event: str, *, level: int = logging.INFO, error: BaseException | None = None, **fields: Any
) -> None:
    """Log an event with its fields; passwords, tokens and contents of forms never go here."""
    logger.log(level, event, extra={"fields": fields}, exc_info=error)
