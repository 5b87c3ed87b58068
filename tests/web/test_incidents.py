"""Tests what a client and what the log learns of an error of the server."""

import re

from structlog.testing import capture_logs

from uplift.domain.errors import InvalidInput, StoreUnavailable
from uplift.web.incidents import log_outage, report_unexpected


def an_error_with_a_secret_variable() -> Exception:
    try:
        api_key = "uplift_hunter2"
        raise LookupError(len(api_key))
    except LookupError as error:
        return error


def test_logs_the_traceback_under_the_id_that_the_client_gets() -> None:
    with capture_logs() as logged:
        incident = report_unexpected(an_error_with_a_secret_variable())
    assert re.fullmatch(r"[0-9a-f-]{36}", incident.id)
    assert incident.message == (
        f"Unexpected error, please report it to the operator of this server (id {incident.id})."
    )
    (line,) = logged
    assert (line["event"], line["log_level"], line["error_id"]) == ("unexpected_error", "error", incident.id)
    assert "in an_error_with_a_secret_variable" in line["exception"]
    assert line["exception"].endswith("LookupError: 14\n")


def test_leaves_the_exception_out_of_reach_of_renderers_that_show_variables() -> None:
    with capture_logs() as logged:
        report_unexpected(an_error_with_a_secret_variable())
    assert set(logged[0]) == {"event", "log_level", "error_id", "exception"}


def test_logs_an_outage_and_no_mistake_of_a_client() -> None:
    outage = StoreUnavailable("it is locked")
    with capture_logs() as logged:
        log_outage(outage)
        log_outage(InvalidInput("Expected a number, but got 'x'."))
    assert logged == [{"event": "store_unavailable", "log_level": "warning", "error": outage.message}]
