"""Speaks HTTP/1.1 and WebSocket on a connection."""
