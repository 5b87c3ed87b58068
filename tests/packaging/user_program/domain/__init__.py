"""The program's own domain."""
