"""The page "my devices", under Bottle and under Pyramid."""
