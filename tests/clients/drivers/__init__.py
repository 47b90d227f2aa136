"""One script a client, run by the client's own interpreter."""
