"""Sessions from another backend: migrated on demand while requests run, or imported all at once.

A session is copied as the text that Beaker stored; no class of a pickle is run. Requests import
`source` and `on_demand` only; the rest is for operators. This file imports nothing.
"""
