"""The change feed, written by triggers and read in the order of commits; images and pulls."""
