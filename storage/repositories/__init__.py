"""Repositories: they implement the ports of a store on SQLite and PostgreSQL."""
