"""What is imported and run once before a memory snapshot is made."""
