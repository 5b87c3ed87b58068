"""The statements that record and move one chunk of an upgrade, for each database."""
