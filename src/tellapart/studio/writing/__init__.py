"""What was said of the photos, written for others: class folders, a zip, and photos moved into order."""
