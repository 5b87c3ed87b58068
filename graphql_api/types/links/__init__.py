"""Links to workflow engines, with their orders and secrets."""
