"""Tells receivers of a link that orders wait or that upgrades have ended, by Standard Webhooks 1.0.0."""
