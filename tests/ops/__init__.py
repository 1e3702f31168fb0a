"""What an operator sees: the blueprint, the policies, the command line.

A command is called by its `main(argv)`; its output and its exit code are the contract.
"""
