"""An embedded PostgreSQL with a shop under load, ready to be rolled back."""
