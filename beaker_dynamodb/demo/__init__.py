"""An application to look at: `python -m beaker_dynamodb demo` serves one page, twice.

A Bottle and a Pyramid application share one session in one table. Nothing imports this but the
command line, and it needs the extra `demo`.
"""
