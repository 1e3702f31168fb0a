"""Everything that uses the network. It decides nothing about a session's data.

AWS's names and CamelCase end here. `clients.py` alone imports boto3; everything else calls
`Client.call(operation, request)`, which raises no exception but ours.
"""
