"""SQL statements on the tables, and the conversion of their rows to values of the domain."""
