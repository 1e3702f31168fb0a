"""Hostile bytes: mutated inputs for all code that reads what somebody else has written.

`python -m tests.fuzz` runs every target in a process of its own, under limits of memory and CPU.
`targets` are what is read, `mutation` makes the inputs, `worker` is the process that reads them,
`runs` starts the workers, and `seeds.json` holds inputs that have found a fault.
"""
