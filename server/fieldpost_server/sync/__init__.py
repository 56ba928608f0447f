"""The calls of devices over HTTP, with the schemas of all that travels."""
