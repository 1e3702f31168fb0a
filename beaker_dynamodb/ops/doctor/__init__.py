"""What the doctor looks at, a file a matter: pure decisions, facts in and findings out.

No check makes a call or asks the time; `doctor.py` gathers the facts.
"""
