"""What brings a database back: inside a failing run, and as a run of its own."""
