"""Runs that were, for people who look back: what each came to as one flat record, which of them are
meant, what they come to together, and who decided what."""
