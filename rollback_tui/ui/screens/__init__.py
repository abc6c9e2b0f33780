"""The six screens, in the order of the work."""
