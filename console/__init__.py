"""The console: the page by which operators see, plan, run and follow upgrades."""
