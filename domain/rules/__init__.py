"""Decides whether a cohort of instances is upgraded, and to which position."""
