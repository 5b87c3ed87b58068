"""The types of the schema; `from_domain` makes an object of each from a domain value."""
