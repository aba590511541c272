"""What may be wrong with photos and labels beyond copies: looks, quality, shortcuts, labels, names."""
