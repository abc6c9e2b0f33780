"""The program over a real SSH connection that is cut."""
