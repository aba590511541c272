"""Numbers that scikit-learn does not already give: intervals, calibration error and its null band."""
