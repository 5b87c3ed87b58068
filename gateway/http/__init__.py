"""HTTP middleware and routes of the gateway's own."""
