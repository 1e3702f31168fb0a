"""A global table with eventual consistency, and what users lose when they move between Regions."""
