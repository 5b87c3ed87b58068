"""Statements on instances, their cohorts, and the selections of them."""
