"""For operators: what the command line does, one function each. Never imported by a request.

Nothing here draws or asks; only `cli/` does. The table itself is in `provisioning/`.
"""
