"""How the parts are put together into one program."""
