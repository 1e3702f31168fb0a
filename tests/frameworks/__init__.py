"""One contract, asked of the shortest applications of the frameworks that Beaker serves.

A module is one application: `make(settings)` takes ini strings and returns WSGI. It names no AWS.
"""
