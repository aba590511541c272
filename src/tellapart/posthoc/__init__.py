"""What is fitted after the head, out-of-fold: temperature, unknown score, thresholds."""
