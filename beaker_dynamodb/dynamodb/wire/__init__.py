"""The lean transport: GetItem, PutItem and DeleteItem over our own HTTP connections.

It handles only calls that succeed; every other call is repeated by boto3. Nothing here imports
boto3 or botocore, or a module of the package above `dynamodb/`.
"""
