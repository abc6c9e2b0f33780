"""Values and judgement. No input or output: every fact arrives as an argument."""
