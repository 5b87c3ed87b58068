"""Explains why a request is refused before a rule looks at it."""

from collections.abc import Mapping

from uplift.gateway.reasons.advice import Advice
from uplift.graphql_api.engine.errors import GraphQLCode
from uplift.rest_compat.errors import RestCode
from uplift.web.errors import HttpCode

HTTP: Mapping[HttpCode, Advice] = {
    HttpCode.BAD_REQUEST: Advice(
        means="The request cannot be read: malformed JSON, or missing or ill-typed parameters.",
        do="Send one JSON object in UTF-8, as the message says.",
    ),
    HttpCode.LIMIT_EXCEEDED: Advice(
        means="The request is larger, deeper or slower than allowed, or too many run at the same time.",
        do="Ask for less in one request. After status 429 or 503, repeat it after the seconds in "
        "`Retry-After`. An operator can raise the limit.",
    ),
    HttpCode.METHOD_NOT_ALLOWED: Advice(
        means="The path does not serve this method, or a GraphQL mutation came by GET.",
        do="Use a method that the header `Allow` lists.",
    ),
    HttpCode.UNSUPPORTED_MEDIA_TYPE: Advice(
        means="The body is not announced as JSON in UTF-8, or is compressed.",
        do="Send `Content-Type: application/json`, without `Content-Encoding`.",
    ),
    HttpCode.FORBIDDEN_ORIGIN: Advice(
        means="The request comes from a web page of another origin, which is not allowed.",
        do="If the page is yours, list its origin in `UPLIFT_ALLOWED_ORIGINS`. Behind a proxy, set "
        "`UPLIFT_TRUSTED_PROXIES`.",
    ),
    HttpCode.INTERNAL: Advice(
        means="The server failed.",
        do="Give the `id` of the error to the operator. The log has the traceback under it: report that.",
    ),
}

GRAPHQL: Mapping[GraphQLCode, Advice] = {
    GraphQLCode.GRAPHQL_PARSE_FAILED: Advice(
        means="The query text is not GraphQL, or is too long.",
        do="Correct the text at the place that the error names.",
    ),
    GraphQLCode.GRAPHQL_VALIDATION_FAILED: Advice(
        means="The query text does not fit the schema.",
        do="Compare it with the schema of this server. A client that is newer than the server causes this.",
    ),
    GraphQLCode.BAD_USER_INPUT: Advice(
        means="The variables or the operation name do not fit the query text.",
        do="Correct the variable that the message names.",
    ),
    GraphQLCode.NOT_ACCEPTABLE: Advice(
        means="The client accepts no media type in which the operation can be answered.",
        do="Accept `application/graphql-response+json` or `application/json`, and `text/event-stream` for "
        "subscriptions.",
    ),
}

REST: Mapping[RestCode, Advice] = {
    RestCode.NOT_FOUND: Advice(
        means="The path does not exist.",
        do="Compare it with the paths of the REST path, without a trailing slash.",
    ),
    RestCode.UPGRADE_CANCELLED: Advice(
        means="An operator cancelled the upgrade. What it did before stays done.",
        do="Ask the operator before you repeat the request.",
    ),
    RestCode.UPGRADE_FAILED: Advice(
        means="An error of the server ended the upgrade. What it did before stays done.",
        do="Give `upgradeId` to the operator, who finds the cause in the log. Then repeat the request.",
    ),
    RestCode.SERVER_STOPS: Advice(
        means="The server is being stopped while the client waits for its upgrade, which continues.",
        do="Read its state at `Location`, or repeat the request with the same `Idempotency-Key`.",
    ),
}
