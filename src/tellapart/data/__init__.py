"""Photos: reading, sources, preprocessing, findings and splits."""
