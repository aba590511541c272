"""Networks that are trained whole, with PyTorch: the only package that imports it."""
