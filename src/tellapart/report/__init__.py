"""The page and the model card that a person reads."""
