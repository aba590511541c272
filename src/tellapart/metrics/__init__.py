"""What is measured of a model: intervals, calibration, risk and coverage, and comparisons."""
