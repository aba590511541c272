"""How good a classifier is, how sure that is, and what would make it better."""
