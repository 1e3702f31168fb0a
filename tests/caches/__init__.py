"""Caches and large values under Beaker.

Their contract, what they cost, how long they live, and what they survive.
"""
