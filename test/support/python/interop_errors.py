"""Exceptions of a project, which its members in other languages raise too."""


class NotFound(Exception):
    def __init__(self, kind, key):
        super().__init__(kind, key)
        self.kind = kind
        self.key = key
