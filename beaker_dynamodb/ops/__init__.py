"""For operators: what the command line does, one function each. Never imported by a request.

Only `cli/` prints and asks questions. The table itself is in `provisioning/`.
"""
