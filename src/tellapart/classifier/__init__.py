"""What is learned on features: the head, its temperature, its thresholds, and how far is too far."""
