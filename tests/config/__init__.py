"""Options: their values, where they come from, and what is refused."""
