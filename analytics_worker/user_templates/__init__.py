"""What a template that a user wrote may say and do; :mod:`analytics_worker.user_templates.rendering` renders with it."""
