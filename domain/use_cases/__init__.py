"""The operations of Uplift: each use case loads, decides and saves."""
