"""The store for many processes: a MongoDB replica set, through Motor."""

from bot.stores.mongo.store import MongoStore

__all__ = ["MongoStore"]
