"""Sessions that move in from another backend: on demand while requests run, or all at once.

A session is moved as the text that Beaker stored; no class of a pickle is run. Requests import
`source` and `on_demand` only; the rest is for operators. This file imports nothing.
"""
