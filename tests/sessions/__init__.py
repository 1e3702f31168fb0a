"""What an application under Beaker's own middleware sees.

Sessions, caches, the call budget, faults and outages are looked at through Beaker, never past it.
"""
