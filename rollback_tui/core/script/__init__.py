"""Scripts: boundaries, effects, hazards, and how a statement is shown."""
