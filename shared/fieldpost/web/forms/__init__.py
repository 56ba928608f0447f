"""One record: its form, its view, its deletion."""
