"""Runs that a job of the Hub trains elsewhere: the process here that follows one (`follower`), the process there
(`job_worker`), what travels between them and what comes back. Both processes are begun by their names."""

__all__: list[str] = []
