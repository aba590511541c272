"""Photos from a list of addresses, each with where it came from and under which licence."""
