"""The revisions of the schema, one module each. Never change a released one."""
