"""The HTTP server: one model, its page and its API; behind the extra `serve`."""
