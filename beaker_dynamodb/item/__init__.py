"""What is stored, and what must happen to it: pure functions and frozen values.

No network, no clock, no luck, no options object: every law about bytes and merges can be
tested with values alone. What draws random bytes is handed in.
"""
