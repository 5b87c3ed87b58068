"""Uplift: bulk upgrades of running process instances to the latest published version of their process."""
