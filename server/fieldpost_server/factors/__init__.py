"""Second factors: what people have beside their password, and when they are asked for it."""
