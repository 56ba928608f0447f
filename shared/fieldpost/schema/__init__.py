"""An author's models as Fieldpost sees them: fields, column types, values and their checks."""
