"""The statements that read and write the tables, and the values that their rows become."""
