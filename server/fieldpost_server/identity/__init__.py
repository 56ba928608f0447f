"""Showing who one is: the second step of signing in, setting it up, and confirming it again."""
