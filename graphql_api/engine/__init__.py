"""GraphQL over HTTP and WebSockets: reading requests, limits, execution, responses."""
