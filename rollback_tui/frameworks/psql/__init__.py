"""What psql makes of a script before the server sees it."""
