"""How the domain looks to clients of the legacy REST path."""
