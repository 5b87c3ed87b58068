"""The types of the schema, and how each is made from a value of the domain."""
