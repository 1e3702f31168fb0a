"""The package alone: a venv of the wheel and its requirements.

`python -m tests.clean PYTHON` starts DynamoDB Local, and runs `session.py` with the Python of such
a venv.
"""
