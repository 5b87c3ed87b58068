"""Reads the secret of a link from the environment or a file, and writes the `Authorization` header."""

import base64
import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from uplift.domain.model.link import Credentials, CredentialScheme, SecretPlace
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind

MAX_SECRET = 16 * 1024
"""The most bytes of a secret. Servers refuse headers that are longer than this."""

TOKEN = re.compile(r"[!-~]+")


class Authorization(NamedTuple):
    """The value of the header, and the secret in it, which no message may contain."""

    header: str
    secret: str


def authorization(credentials: Credentials) -> Authorization:
    """Read the secret and write the header. Raises EngineFault (UNAUTHORISED) if there is none.

    The secret is read anew for each request, so that it can be replaced while Uplift runs.
    """
    place = SecretPlace(environment=credentials.environment, file=credentials.file)
    secret = read_secret(place)
    if not secret:
        raise _fault(f"Expected the secret of the link in {named(place)}, but there is none.")
    if credentials.scheme is CredentialScheme.BASIC:
        encoded = base64.b64encode(f"{credentials.user}:{secret}".encode("utf-8", "surrogateescape")).decode()
        return Authorization(f"Basic {encoded}", secret)
    if not TOKEN.fullmatch(secret):
        raise _fault(
            f"Expected a bearer token in {named(place)}, but it has spaces or signs that no token has."
        )
    return Authorization(f"Bearer {secret}", secret)


def read_secret(place: SecretPlace) -> str:
    """Read a secret; empty if there is none. Raises EngineFault (UNAUTHORISED) if its file cannot be read."""
    if place.environment is not None:
        secret = os.environ.get(place.environment, "")
    else:
        secret = _from_file(Path(place.file or ""), named(place))
    return secret.strip("\r\n")


def named(place: SecretPlace) -> str:
    """The place in words."""
    if place.environment is not None:
        return f"the environment variable {place.environment}"
    return f"the file {place.file}"


def _from_file(path: Path, place: str) -> str:
    try:
        # A pipe or a device may block for ever, so the file must be a regular one before it is opened.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _fault(f"Expected the secret of the link in {place}, but it is not a regular file.")
        with path.open("rb") as file:
            content = file.read(MAX_SECRET + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _fault(f"Expected the secret of the link in {place}, but: {reason}.") from error
    if len(content) > MAX_SECRET:
        raise _fault(f"Expected a secret of at most {MAX_SECRET:,} bytes in {place}, but it is longer.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _fault(f"Expected the secret of the link in {place} in UTF-8, but it is not.") from error


def _fault(message: str) -> EngineFault:
    return EngineFault(EngineFaultKind.UNAUTHORISED, message)
