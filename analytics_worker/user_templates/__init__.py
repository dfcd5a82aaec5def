"""Run templates of users within bounds; :mod:`analytics_worker.user_templates.rendering` is the entry."""
