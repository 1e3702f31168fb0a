"""The laws of the package's house, and the proof that each of them can fail."""
