"""A run: the worker's side (engine, journal, control socket) and the client's."""
