"""The checks of `doctor`, a file for each topic: pure decisions, facts in and findings out.

No check makes a call or reads the clock; `examine.py` gathers the facts.
"""
