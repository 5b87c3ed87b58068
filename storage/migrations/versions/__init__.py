"""The revisions, a module each: what changed in the schema. Once released, none is ever touched again."""
