"""What rows of other models are called, and the order of things, wherever they are named."""
