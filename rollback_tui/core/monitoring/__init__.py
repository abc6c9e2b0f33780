"""The hours after a run: what is measured, by which rule it is judged, and what came of it."""
