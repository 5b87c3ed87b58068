"""The root types of the schema: queries, mutations and subscriptions."""
