"""Money and tokens: counted, priced, estimated, limited."""
