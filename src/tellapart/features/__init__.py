"""Photos as the frozen network sees them, once for each photo."""
