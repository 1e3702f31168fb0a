"""The page "where am I signed in", under Bottle and under Pyramid."""
