"""Structured logs: JSON lines in pods, readable lines on a terminal, secrets redacted in both."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

_CREDENTIALS_IN_URL: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE)
_SECRET_KEYS: Final = frozenset({"password", "token", "authorization", "dsn", "database_url"})
_REDACTED: Final = "[redacted]"


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Return the event without passwords in URLs and without the values of keys that hold secrets."""
    for key, value in event.items():
        if key in _SECRET_KEYS:
            event[key] = _REDACTED
        elif isinstance(value, str):
            event[key] = _CREDENTIALS_IN_URL.sub(rf"\g<scheme>{_REDACTED}@", value)
    return event


def configure_logs(*, json: bool, level: str = "INFO") -> None:
    """Send structlog's and the standard library's records to standard error, as JSON lines or as readable lines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if json else structlog.dev.set_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "aiohttp.access", "kopf"):  # a line per request, probe and handler at INFO
        logging.getLogger(chatty).setLevel(logging.WARNING)
