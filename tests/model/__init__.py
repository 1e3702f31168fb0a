"""Every interleaving of a few requests, explored on the real code over a table in memory.

`table` is a boto3 client whose calls are scheduling points, `pages` are what a request may do,
`explorer` runs all their interleavings with faults, `properties` says what must hold at the end
of each, and `defects` are mistakes that the properties must find.
"""
