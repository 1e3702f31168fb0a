"""Sessions: load, save, delete, rotate; the outage rule; StrictSession and its paste filter.

What a save does is decided in `item/`; the modules here carry it out. Nothing here imports
`caches/`, `ops/` or boto3. This file imports nothing, so that a request pays only for what it uses.
"""
