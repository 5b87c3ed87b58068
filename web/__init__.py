"""The HTTP edge that the GraphQL and REST APIs share."""
