"""The compiled network: bundled backbones, batching and streams."""
