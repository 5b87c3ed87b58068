"""Upgrades and plans of them, with what they did."""
