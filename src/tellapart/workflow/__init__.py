"""What a person asks for, one verb a file, from end to end."""
