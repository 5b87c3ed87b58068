"""Statements on what upgrades did: outcomes, decisions and totals."""
