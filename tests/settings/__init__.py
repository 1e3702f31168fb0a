"""What an application's settings are checked for when it starts."""
