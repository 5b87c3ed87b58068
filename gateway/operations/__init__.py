"""Operations on upgrades for the command line, on a local database or a remote gateway."""
