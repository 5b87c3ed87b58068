"""The revisions of the schema, and their runner. There is no alembic.ini and no env.py."""
