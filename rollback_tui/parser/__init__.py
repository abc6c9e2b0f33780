"""PostgreSQL's own grammar, in a child process with a time limit."""
