"""An application to look at: `python -m examples.demo` serves one page, twice.

A Bottle and a Pyramid application share one session in one table. It needs the
extra `embedded` and what its requirements.txt names.
"""
