"""The ports of a store, implemented by the statements of storage.statements and storage.chunks."""
