"""The network: all that touches the network. It decides nothing about a session's data.

AWS's names and CamelCase end here. `client.py` alone imports boto3; everything else calls
`Client.call(operation, request)` and sees no exception but ours.
"""
