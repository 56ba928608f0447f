"""The app of the benchmarks: many small rows, and a form with twenty child rows."""
