"""Other places to answer from: a page without a server, a Space, a container, one file; each proven first."""
