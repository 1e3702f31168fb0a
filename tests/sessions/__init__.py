"""Sessions as an application sees them, under Beaker's own middleware.

The contract, the call budget, concurrent requests, faults and outages are tested through Beaker.
"""
