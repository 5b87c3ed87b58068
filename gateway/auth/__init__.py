"""API keys: how they are made, checked, expired and audited."""
