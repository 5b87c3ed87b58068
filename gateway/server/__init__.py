"""The HTTP server: its listener, timeouts and signals."""
