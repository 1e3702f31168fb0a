"""The command `doctor`: facts in, findings out. Each check is one row of a table.

To add a check, add a row to the table that has its facts, and a case to the table's test:

    Check("warning", "ttl", lambda f: f.options.ttl == 0, "rows are kept forever", "ttl = 30d")

that is severity, topic, when it applies, message, remedy; all but the condition may be texts or
functions of the facts `f`. A remedy can be pasted as it is, which a test does with each of them;
advice in words belongs into the message. One that logs people out says whom (`logs_out`), and is
withheld during a migration. `settings.py` and `session.py` have the tables for what
the installed packages and the configuration alone show, and `store.py` for credentials, table and
calls. A check that needs a fact that is not there adds a field to the class of its facts,
which `examine.py` fills in: that file makes all calls, and decides in which order the tables are
walked. Conditions make no call and read no clock. Where an attempt has one finding for each way in
which it ends, as reading the old store does, that file yields the finding itself.
"""
