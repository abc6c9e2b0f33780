"""yoyo-migrations: files of SQL and of steps, its tables."""
