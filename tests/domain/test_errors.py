"""What errors say that the rules themselves never raise, for the parts around them do."""

from domain.errors import ErrorCode, StoreUnavailable, Unauthenticated


def test_a_missing_key_is_told_how_to_be_sent() -> None:
    error = Unauthenticated()
    assert (
        error.message
        == str(error)
        == ("Expected a valid API key as 'Authorization: Bearer <key>', but found none.")
    )
    assert (error.code, error.field) == (ErrorCode.UNAUTHENTICATED, ())


def test_a_store_that_cannot_answer_says_that_nothing_was_written() -> None:
    error = StoreUnavailable("it is locked by another program")
    assert error.message == (
        "Expected the store to answer, but it is locked by another program. "
        "Nothing was written; try again later."
    )
    assert (error.code, error.field) == (ErrorCode.STORE_UNAVAILABLE, ())
