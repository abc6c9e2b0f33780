"""Migration frameworks: one module each, and detection."""
