"""The HTTP edge that the GraphQL and REST front doors share."""
