"""How the domain looks to a GraphQL client."""
