"""An application under a real gunicorn, and the load that looks for somebody else's session."""
