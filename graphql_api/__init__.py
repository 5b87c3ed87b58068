"""The GraphQL API: its schema, the engine that serves it, and the GraphiQL page."""
