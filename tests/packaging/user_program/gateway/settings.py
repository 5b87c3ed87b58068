"""A module that uplift.gateway has under the same name."""

NAMESPACE, CODE = "crm", "orders"
