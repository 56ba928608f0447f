"""Site inspections: the demo app of Fieldpost."""
