"""Decides whether a cohort of instances is upgraded, and to which position.

The rules about elements, such as boundary events, are in uplift.domain.compatibility.mapping.pair_rules.
"""
