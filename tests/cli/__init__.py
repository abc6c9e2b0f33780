"""The command line, used as a person or a program uses it."""
