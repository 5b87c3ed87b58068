"""Tells engines that fetch their orders that some wait, by the Standard Webhooks specification 1.0.0."""
