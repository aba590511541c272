"""The studio: photos labelled on a local page, every action a line in a journal."""
