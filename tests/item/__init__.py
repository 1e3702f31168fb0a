"""Laws about bytes, keys, plans and merges.

No server, no clock, no luck: what `beaker_dynamodb.item` may not import is not needed here.
"""
