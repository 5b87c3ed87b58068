"""Defines why a webhook did not arrive."""


class WebhookError(Exception):
    """The webhook did not arrive. `message` is a sentence for operators, without a secret or a URL."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class WebhookGoneError(WebhookError):
    """The receiver wants no more webhooks."""
