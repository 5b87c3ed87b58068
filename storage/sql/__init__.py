"""Tables, column types and SQL building blocks that all repositories share."""
