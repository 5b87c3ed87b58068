"""PostgreSQL: connections, settings and locks."""
