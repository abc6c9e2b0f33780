"""The program in a real tmux."""
