"""Files that users brought: where they lie, what they are, and who has brought them."""
