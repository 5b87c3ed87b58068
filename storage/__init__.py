"""Where processes, versions, instances and upgrades are kept."""
