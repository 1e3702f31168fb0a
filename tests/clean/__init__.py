"""The package where nothing else is installed: a venv of the wheel and what the wheel needs.

`python -m tests.clean PYTHON` starts DynamoDB Local, and has the Python of such a venv run
`session.py` against it.
"""
