"""Where circuit breakers keep their state: memory, a SQLite file of this host, or Redis.

Nothing is opened on import. All stores follow the same transitions (`transitions`); the property
tests hold them to one model.
"""
