"""The program's own gateway."""
