"""Applications to copy, and the demo; nothing here is part of the package's wheel."""
