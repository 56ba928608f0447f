"""The inbox: every envelope is applied exactly once, or kept with what is wrong."""
