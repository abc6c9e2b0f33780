"""Being ourselves again, after a script that may have taken another role or path."""

OURSELVES = b"RESET SESSION AUTHORIZATION; RESET ROLE; RESET search_path"
"""After each migration: the framework would have run the next one in a session of its own, where
its names mean what they say, and the version table is changed by the role that the run has."""
