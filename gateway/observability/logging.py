"""Configures the log."""

import logging
import sys
import warnings

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.settings import Settings


def configure_logs(settings: Settings, metrics: Metrics) -> None:
    """Write all log lines, those of libraries too, to standard error: as text, or as one JSON object each.

    Context variables such as `request_id` and `upgrade_id` are in each line. Tracebacks do not show the
    values of local variables, because these can be API keys.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        metrics.count_line,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[Processor] = (
        [
            ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
        if settings.log_format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    logging.captureWarnings(True)  # otherwise Python prints its warnings between the log's lines
    warnings.formatwarning = _one_line
    # graphql-core starts no coroutine of an operation that is cancelled before it begins, so Python warns.
    warnings.filterwarnings("ignore", r"coroutine '.*_async_resolver' was never awaited", RuntimeWarning)
    # Alembic logs each of its plugins. The storage package logs the revisions that run.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # A client of engines logs the URL of each request; an upgrade sends thousands.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    # At level debug, libraries log statements to the database with their values.
    level = max(logging.INFO, logging.getLevelNamesMapping()[settings.log_level.upper()])
    logging.basicConfig(level=level, handlers=[handler])


def _one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,  # noqa: ARG001
) -> str:
    """A warning of Python without the line of source, which Python adds on a line of its own."""
    return f"{filename}:{lineno}: {category.__name__}: {message}"
