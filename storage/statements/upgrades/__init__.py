"""Statements on upgrades, their partitions and their events."""
