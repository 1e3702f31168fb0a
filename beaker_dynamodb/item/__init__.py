"""What is stored, and what a save does with it: pure functions and frozen values.

Nothing here uses the network, a clock, randomness or the options. What draws random bytes is
passed in, so that every rule about bytes, merges and decisions is tested with values alone.
"""
