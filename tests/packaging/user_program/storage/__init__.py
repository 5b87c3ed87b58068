"""The program's own storage."""
