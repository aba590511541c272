"""What names mean that people and programs give: to folders, columns, photos, labels and splits."""
