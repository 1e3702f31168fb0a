"""The history check: many processes use the same sessions, and their history must keep five laws.

`worker` makes and records requests, `recorder` holds them, `checker` finds violations; only the
worker uses Beaker.
"""
