"""The lean transport: GetItem, PutItem and DeleteItem over our own HTTP connections.

It handles only what went right; everything else is handed to boto3 with the same request. Nothing
here imports boto3 or botocore, or a module of the package above `dynamodb/`.
"""
