"""The values of the domain: immutable, validated on creation, free of I/O."""
