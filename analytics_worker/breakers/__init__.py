"""Implement circuit breakers whose state is kept in memory, in a SQLite file of this host, or in Redis.

Nothing is opened on import. All stores follow the transitions of `state_machine`. The property tests
check them against one model.
"""
