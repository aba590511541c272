"""The disk: writes that a kill cannot tear, and what is remembered between runs."""
