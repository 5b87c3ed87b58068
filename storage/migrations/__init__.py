"""The revisions of the schema, and how they are run; no alembic.ini, no env.py, nothing to configure."""
