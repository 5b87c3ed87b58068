"""The inputs of mutations, plans and lists."""
