"""What is true now: the plan, the facts for the safety checks, the baseline."""
