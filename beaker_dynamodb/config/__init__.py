"""Options: one table of all of them, the parsers of their values, and where values come from.

Every option is declared and validated in `options.py`; documents and help texts are printed from
it. Nothing here imports a module of the package that touches the network or Beaker.
"""
