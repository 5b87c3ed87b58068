"""Whether a client accepts a gzipped file."""

import pytest

from uplift.web.built_page import accepts_gzip


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP;q=0.5", True),
        ("br;q=1.0, gzip; q=0.8", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
    ],
)
def test_reads_whether_a_client_accepts_gzip(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted
