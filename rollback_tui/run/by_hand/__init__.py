"""The guide by hand: how to bring the database back without the tool."""
