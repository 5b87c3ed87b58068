"""The rules that decide whether a cohort of instances is upgraded, and where it goes."""
