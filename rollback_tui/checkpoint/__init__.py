"""Restorable copies: made, verified, listed, restored beside."""
