"""Parses and validates query texts, and caches the valid ones.

Parsing and validating a small query takes several times as long as running it. Invalid texts are not cached:
they would only push out valid ones.
"""

from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    ValidationContext,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from uplift.graphql_api.engine.errors import GraphQLCode, in_json_words, request_error
from uplift.graphql_api.engine.limits import Limits, exceeded
from uplift.web.errors import HttpCode
from uplift.web.large_requests import read_large


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A valid query text, ready to run."""

    text: str
    node: DocumentNode
    operations: dict[str | None, OperationType]
    """The type of each operation by its name; None is the operation without a name."""

    def operation_type(self, name: str | None) -> OperationType | None:
        """The type of the operation of this name; None if there is none, or several and no name."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        return self.operations.get(name)


class DocumentError(Exception):
    """A query text that cannot be parsed, is too large, or does not fit the schema."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(*(error.message for error in errors))
        self.errors = errors


class OneOfRule(OneOfInputValidationRule):
    """strawberry's rule with the variables of all operations.

    The original knows the variables of the last operation only, and therefore fails in fragments.
    """

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.variable_definitions = {
            definition.variable.name.value: definition
            for operation in context.document.definitions
            if isinstance(operation, OperationDefinitionNode)
            for definition in operation.variable_definitions or ()
        }

    def enter_operation_definition(self, *_: Any) -> None:
        """Keeps the variables of all operations."""


class Documents:
    """The documents of one schema. `hits` and `misses` count the look-ups; an invalid text counts as a miss.

    The least recently used documents leave the cache when their texts together become too long.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        hidden = () if limits.introspection else (NoSchemaIntrospectionCustomRule,)
        self._rules = (*specified_rules, *hidden)
        self._cache: LRUCache[str, Document] = LRUCache(
            limits.max_cached_characters, getsizeof=lambda document: len(document.text)
        )
        # A few texts that are longer than a tenth of the cache would push out all others.
        self._longest_cached = limits.max_cached_characters // 10
        self.hits = 0
        self.misses = 0

    async def load(self, text: str) -> Document:
        """The document of this text; a long one is read in the thread for large requests.

        Raises DocumentError.
        """
        if len(text) <= self._longest_cached:
            return self.find(text)
        self.misses += 1
        return await read_large(self._read, text)

    def find(self, text: str) -> Document:
        """The document of this text. Raises DocumentError."""
        document = self._cache.get(text)
        if document is not None:
            self.hits += 1
            return document
        self.misses += 1
        document = self._read(text)
        if len(text) <= self._longest_cached:
            self._cache[text] = document
        return document

    def _read(self, text: str) -> Document:
        node = self._parse(text)
        if too_large := exceeded(node, self._limits):
            raise DocumentError([request_error(HttpCode.LIMIT_EXCEEDED, message) for message in too_large])
        # strawberry's own rules crash on documents that the rules of the specification refuse.
        self._validate(node, self._rules)
        self._validate(node, (MaybeNullValidationRule, OneOfRule))
        operations = {
            definition.name.value if definition.name else None: definition.operation
            for definition in node.definitions
            if isinstance(definition, OperationDefinitionNode)
        }
        return Document(text=text, node=node, operations=operations)

    def _parse(self, text: str) -> DocumentNode:
        limits = self._limits
        try:
            return parse(
                text,
                max_lexical_tokens=limits.max_tokens,
                max_comments=limits.max_tokens,
                max_source_length=limits.max_document_characters,
            )
        except GraphQLError as error:
            raise DocumentError(
                [request_error(GraphQLCode.GRAPHQL_PARSE_FAILED, error.message, error)]
            ) from None

    def _validate(self, node: DocumentNode, rules: tuple[Any, ...]) -> None:
        errors = validate(self._schema, node, rules, hide_suggestions=not self._limits.introspection)
        if errors:
            raise DocumentError(
                [
                    request_error(GraphQLCode.GRAPHQL_VALIDATION_FAILED, in_json_words(error.message), error)
                    for error in errors
                ]
            )
