"""The questions that are asked of the result before COMMIT, one module a subject."""
