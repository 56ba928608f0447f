"""Things in words, for people: values, linked rows, envelopes, both sides of a conflict."""
