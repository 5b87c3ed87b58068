"""A client of Uplift's GraphQL API that needs nothing but Python."""

import json
from urllib.request import Request, urlopen

MOVES = """
    query Moves($link: String!, $after: String) {
      moves(link: $link, first: 500, after: $after) {
        nodes {
          number state engineId fromVersion toVersion fromPosition toPosition mapping { source target }
        }
        pageInfo { hasNextPage endCursor }
      }
    }"""


class Uplift:
    """Calls one gateway with one API key."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = f"{url.rstrip('/')}/graphql"
        self._headers = {"authorization": f"Bearer {api_key}", "content-type": "application/json"}

    def moves(self, link: str, after: str | None) -> dict:
        """A page of the orders of a link."""
        page = self._ask(MOVES, link=link, after=after)["moves"]
        if page is None:
            raise RuntimeError(f"Expected the link '{link}', but Uplift has none of this name.")
        return page

    def mutate(self, name: str, value: dict) -> None:
        """Run a mutation. Raises RuntimeError if it is refused."""
        kind = f"{name[0].upper()}{name[1:]}Input!"
        query = f"mutation($input: {kind}) {{ {name}(input: $input) {{ userErrors {{ message }} }} }}"
        errors = self._ask(query, input=value)[name]["userErrors"]
        if errors:
            raise RuntimeError(errors[0]["message"])

    def _ask(self, query: str, **variables: object) -> dict:
        body = json.dumps({"query": query, "variables": variables}).encode()
        with urlopen(Request(self._url, body, self._headers), timeout=60) as reply:
            answer = json.load(reply)
        if answer.get("errors"):
            raise RuntimeError(answer["errors"][0]["message"])
        return answer["data"]
