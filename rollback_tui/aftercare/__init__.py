"""After a run: who is told, what is watched, the incident report, and what is left to be done."""
