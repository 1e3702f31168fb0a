"""For operators: what the command line does, one function each. Never imported by a request.

Nothing here draws or asks; only `cli/` does. AWS's words stand in `templates.py` alone, as data.
"""
