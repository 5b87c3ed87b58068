"""How does this API describe itself? By the OpenAPI 3.1 document in `openapi.json`, written by hand."""

from importlib.resources import files


def openapi_document() -> bytes:
    """The document as JSON text."""
    return files(__package__).joinpath("openapi.json").read_bytes()
