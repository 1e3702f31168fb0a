"""Tests of the demo and the examples in a real chromium, on real servers and DynamoDB Local.

`sites` runs the servers, `visitor` uses the pages, `checks` measures a page.
"""
