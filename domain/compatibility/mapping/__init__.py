"""Maps the elements of one version of a process to those of another, by rules and by instructions."""
