"""What a child process does for a studio: all that takes features, or its time."""
