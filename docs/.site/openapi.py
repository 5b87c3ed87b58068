"""Renders the page of the OpenAPI document of the REST path."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]


def openapi_page(text: str) -> str:
    """The page reference/openapi.md."""
    return "\n".join(_Document(json.loads(text)).lines())


class _Document:
    def __init__(self, document: Node) -> None:
        self.document = document

    def lines(self) -> Iterator[str]:
        info = self.document["info"]
        yield f"# OpenAPI document\n\n{info['description']}\n"
        yield "A gateway serves the document at `/openapi.json`. [REST path](rest.md) has examples.\n"
        for path, operations in self.document["paths"].items():
            shared = operations.get("parameters", [])
            for method, operation in operations.items():
                if method != "parameters":
                    yield from self._operation(f"{method.upper()} {path}", operation, shared)
        for name, schema in self.document["components"]["schemas"].items():
            yield from self._schema(name, schema)

    def _operation(self, title: str, operation: Node, shared: list[Node]) -> Iterator[str]:
        yield f"\n## {operation['summary']}\n\n`{title}`\n"
        if "description" in operation:
            yield f"{operation['description']}\n"
        if parameters := [self._resolved(node) for node in (*shared, *operation.get("parameters", []))]:
            yield "| Parameter | In | Description |\n|---|---|---|"
            for node in parameters:
                yield f"| `{node['name']}` | {node['in']} | {_cell(node.get('description', ''))} |"
            yield ""
        if body := operation.get("requestBody"):
            yield f"The body is a {self._content(body)}.\n"
        yield "| Status | Body | Meaning |\n|---|---|---|"
        for status, reply in operation["responses"].items():
            reply = self._resolved(reply)
            yield f"| {status} | {self._content(reply)} | {_cell(reply['description'])} |"

    def _schema(self, name: str, schema: Node) -> Iterator[str]:
        yield f"\n## {name}\n"
        if "description" in schema:
            yield f"{_cell(schema['description'])}\n"
        parts = [self._resolved(part) for part in schema.get("allOf", [])]
        properties = {
            key: node for part in (*parts, schema) for key, node in part.get("properties", {}).items()
        }
        if properties:
            yield "| Property | Type | Description |\n|---|---|---|"
            for key, node in properties.items():
                yield f"| `{key}` | {self._type(node)} | {_cell(self._description(node))} |"
        elif "type" in schema:
            yield f"Type: {self._type(schema)}"

    def _description(self, node: Node) -> str:
        return str(node.get("description") or self._resolved(node).get("description", ""))

    def _resolved(self, node: Node) -> Node:
        """The node, or what it refers to."""
        found: Any = self.document
        if "$ref" not in node:
            return node
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return dict(found)

    def _content(self, node: Node) -> str:
        """The schemas of a body, as links."""
        schemas = [content.get("schema", {}) for content in node.get("content", {}).values()]
        return ", ".join(map(self._type, schemas))

    def _type(self, node: Node) -> str:
        if "$ref" in node:
            folder, _, name = node["$ref"].rpartition("/")
            is_section = folder == "#/components/schemas"
            return f"[{name}](#{name.lower()})" if is_section else self._type(self._resolved(node))
        for combined in ("oneOf", "anyOf", "allOf"):
            if combined in node and "type" not in node:
                return " or ".join(map(self._type, node[combined]))
        if "const" in node:
            return f"`{json.dumps(node['const'])}`"
        if "enum" in node:
            return ", ".join(f"`{json.dumps(value)}`" for value in node["enum"])
        kind = node.get("type", "any")
        names = kind if isinstance(kind, list) else [kind]
        if "array" in names and "items" in node:
            names = [f"list of {self._type(node['items'])}" if name == "array" else name for name in names]
        return " or ".join(names)


def _cell(text: str) -> str:
    """A text as one line of a table."""
    return " ".join(text.split()).replace("|", "\\|")
