"""Tests of bytes, keys, decisions and merges, without a server, a clock or randomness."""
