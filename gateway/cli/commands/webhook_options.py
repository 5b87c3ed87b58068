"""The options of `links add` that describe a webhook."""

from typing import Annotated

import typer

from uplift.domain.errors import InvalidInput
from uplift.domain.model.link import SecretPlace, Webhook

WebhookUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="For --kind pull: where to send events when orders wait or an upgrade has ended."
    ),
]
WebhookSecretEnv = Annotated[
    str | None,
    typer.Option(
        metavar="VARIABLE",
        help="The variable of the environment of the server or worker that has the secret of the webhook, "
        "whsec_ and 24 to 64 bytes in base64.",
    ),
]
WebhookSecretFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="The file that has it, instead of a variable.")
]
WebhookOldSecretEnv = Annotated[
    str | None,
    typer.Option(
        metavar="VARIABLE",
        help="The variable that has the previous secret while secrets are rotated; unset at other times.",
    ),
]
WebhookOldSecretFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The file that has it, which may be missing, instead of a variable."),
]


def read_webhook(url: str | None, *, secret: SecretPlace, old_secret: SecretPlace) -> Webhook | None:
    """The webhook that the options describe. Raises InvalidInput for a secret without a URL."""
    has_old = old_secret != SecretPlace()
    if url is None:
        if secret != SecretPlace() or has_old:
            raise InvalidInput("Expected --webhook-url with the secret of a webhook, but got none.")
        return None
    return Webhook(url=url, secret=secret, old_secret=old_secret if has_old else None)
