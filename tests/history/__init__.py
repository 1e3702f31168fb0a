"""The history check: what many processes did to the same sessions at once, held against laws.

`worker` does and records, `recorder` keeps, `checker` judges; only the worker knows Beaker.
"""
