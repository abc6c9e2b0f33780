"""A PostgreSQL server of our own, for the demo and for rehearsals; and what keeps it tied to us."""
