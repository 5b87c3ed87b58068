"""Files that the command line reads and writes: imports, mappings, audit exports."""
