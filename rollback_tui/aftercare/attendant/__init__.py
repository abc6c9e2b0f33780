"""The attendant: a process of its own that looks after one run, from its first line to the last
notice that arrived."""
