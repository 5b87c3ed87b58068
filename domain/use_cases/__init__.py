"""What a program can ask Uplift to do: each use case loads, decides and saves."""
