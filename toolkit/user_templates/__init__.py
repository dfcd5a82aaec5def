"""What a template that a user wrote may say and do; :mod:`toolkit.templates` renders with it."""
