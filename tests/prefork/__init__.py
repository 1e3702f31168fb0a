"""An application under a real gunicorn, and a load that looks for sessions of other users."""
