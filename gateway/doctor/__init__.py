"""Examines an installation of Uplift, and says what is wrong with it and what to do."""
