"""Logging: structlog for everything, one line per event, as text for people or JSON for machines."""

from __future__ import annotations

import logging.config
import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from console.env import Environment

_SECRET_NAME = re.compile(r"password|secret|token|api_?key|authorization|cookie", re.IGNORECASE)


def hide_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace the value of whatever is named like a secret; the last net, not the first."""
    for name in event:
        if _SECRET_NAME.search(name):
            event[name] = "[hidden]"
    return event


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    hide_secrets,
]


def _renderer(environment: Environment) -> list[Processor]:
    log_format = environment.log_format or ("json" if environment.is_production else "console")
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Colours only make files unreadable; the plain formatter also never prints local variables, which may be secrets.
    return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]


def logging_config(environment: Environment) -> dict[str, Any]:
    """The standard library's logging configuration (`settings.LOGGING`)."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderer(environment)],
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["lines"], "level": environment.log_level},
        "loggers": {
            # Our request log already says it, with the request's id.
            "django.server": {"level": "ERROR"},
            "django.request": {"level": "CRITICAL"},
            # One line per task started and finished says less than the job row does.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            # And a line every few seconds for each sweep says nothing.
            "celery.beat": {"level": "WARNING"},
        },
    }


def configure(environment: Environment) -> None:
    """Apply `logging_config` and point structlog at it."""
    logging.config.dictConfig(logging_config(environment))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
