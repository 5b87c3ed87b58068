"""Reads the BPMN document of a version, in the encoding in which it was deployed."""

from codecs import BOM_UTF8
from urllib.parse import quote

from uplift.domain.bpmn import encode_document
from uplift.domain.ports.process_engine import EngineVersionId
from uplift.engines.client import EngineClient
from uplift.engines.replies import object_of, require_success, rows_of, text_of

_REPLACED = "\ufffd"


async def document_of(client: EngineClient, version: EngineVersionId) -> bytes:
    """The document of a version. Raises EngineFault (FAILED) if there is none.

    The engine returns a document as text that it has decoded as UTF-8, whatever the document declares. If
    that is another encoding, or if there are bytes that are no UTF-8, the bytes are read from the deployment.
    """
    path = f"/process-definition/{quote(version, safe='')}"
    reply = await client.request("GET", f"{path}/xml")
    text = object_of(reply).get("bpmn20Xml")
    if not isinstance(text, str):
        raise reply.unexpected("it has no text as 'bpmn20Xml'")
    document = encode_document(text)
    if _REPLACED not in text and not document.startswith(BOM_UTF8):
        return document
    return await _deployed_bytes(client, path) or document


async def _deployed_bytes(client: EngineClient, path: str) -> bytes | None:
    """The bytes of the resource of a definition; None if the deployment does not list it."""
    reply = await client.request("GET", path)
    definition = object_of(reply)
    name = text_of(reply, definition, "resource")
    resources = f"/deployment/{quote(text_of(reply, definition, 'deploymentId'), safe='')}/resources"
    reply = await client.request("GET", resources)
    for row in rows_of(reply):
        if row.get("name") == name:
            resource = quote(text_of(reply, row, "id"), safe="")
            content = await client.request("GET", f"{resources}/{resource}/data")
            require_success(content)
            return content.body
    return None
