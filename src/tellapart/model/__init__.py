"""The finished model: its folder, its graph, its answers, and why it gives them."""
