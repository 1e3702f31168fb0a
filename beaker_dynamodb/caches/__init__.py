"""Caches: the store behind Beaker's cache verbs, and the creation lock.

A value is read and written whole and is never merged. Nothing here imports `sessions/`, `ops/` or
boto3. This file imports nothing, so that a request pays only for the modules that it uses.
"""
