"""An application's settings as a framework has them: Beaker's and ours, in one mapping.

What belongs here is run when an application starts, or by an operator's command: it selects the
settings of the sessions and of each cache region as Beaker does, and finds mistakes in them. It
makes no call, and imports neither boto3 nor `ops`.
"""
