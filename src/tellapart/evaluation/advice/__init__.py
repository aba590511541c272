"""What to do next, and why: sentences with their numbers, and what they rest on."""
