"""The legacy REST path on Starlette."""
