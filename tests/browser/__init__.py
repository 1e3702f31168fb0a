"""A real chromium in front of the demo and the examples, on real servers and DynamoDB Local.

`sites` serves, `visitor` looks and types, `checks` measures a page.
"""
