"""The contract of the client, once per server.

What one server cannot do is said by a fixture with a sentence, never by a bare skip.
"""
