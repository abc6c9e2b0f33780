"""What can be read from one look at the server, or from two: who is in trouble and who makes it.

Views of the one list of sessions, the tree of those that wait for locks, groups of connections,
rates and their history, and what ending a session would mean. Nothing here asks a server.
"""
