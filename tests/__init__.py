"""The tests, one room of the house after the other, each in the folder of its name.

What they share stands here: `servers` starts, `proxy` breaks, `instruments` measures.
"""
