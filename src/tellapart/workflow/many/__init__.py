"""Many photos at once: verbs on folders of shards."""
