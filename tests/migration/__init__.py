"""Sessions that move in from other backends, at once or while the application runs."""
