"""After COMMIT: the application's health, its queries, the planner's statistics."""
