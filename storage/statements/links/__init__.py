"""Statements on links to engines, their orders and their sightings."""
