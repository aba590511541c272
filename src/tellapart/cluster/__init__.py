"""Work handed out to many machines; alone in using Ray."""
