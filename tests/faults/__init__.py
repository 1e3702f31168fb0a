"""What happens to users when the network, a server, a process, a row or a clock fails.

The numbers are those of the kinds of faults. These concern sessions, and are tested there (T:
tests, B: tests/sessions):

    1, 2, 4 to 9              test_replies.py
    3                         B/test_stories_replies.py
    7, 10 to 12               test_network.py
    13 to 16                  test_servers.py
    17 to 19, 34, 35          test_clients.py
    20 to 24                  test_rows.py
    25, 26, 28, 29, 32, 33    test_ids.py; 28 and 29 in B/test_stories*.py, too
    24, the bombs             B/test_payload_security.py
    31                        T/store/test_provision*.py
    36                        B/test_payload_hygiene.py
    1, 2, 5, 8 to 10          test_user_sessions.py: while a user ends sessions, or is remembered
    37                        the matrix of the continuous integration
"""
