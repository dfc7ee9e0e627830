"""Real servers for whoever asks for one."""

from tests.redis_server import redis_server, redis_url, shared_redis

__all__ = ["redis_server", "redis_url", "shared_redis"]
