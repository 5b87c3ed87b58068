"""Which instances may be upgraded to the latest published version, and what happens to each."""
