"""The Offline Data Processor: from a submitted form to an envelope, and its replay."""
