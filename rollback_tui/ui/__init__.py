"""The terminal process: it looks, asks and shows. It never speaks to a database itself."""
