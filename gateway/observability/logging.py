"""How does the gateway write its log?"""

import logging
import sys

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.settings import Settings


def configure_logs(settings: Settings, metrics: Metrics) -> None:
    """Write all log lines, libraries' included, to standard error: for people or as one JSON object a line.

    What the line is about, `request_id` and `upgrade_id`, is in each of them.

    Tracebacks come without the values of variables, among which are keys.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        metrics.count_line,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    ends: list[Processor] = (
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
        processors=[*shared, *ends],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ends],
        )
    )
    # It tells of each of its plugins; which revisions are run we say ourselves.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # What libraries tell at level debug is the statements to the database, with the values in them.
    level = max(logging.INFO, logging.getLevelNamesMapping()[settings.log_level.upper()])
    logging.basicConfig(level=level, handlers=[handler])
