"""Django: migrations read from files, scripts written by its own executor."""
