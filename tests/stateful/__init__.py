"""Sessions and caches against plain dictionaries, driven by hypothesis over a fault proxy."""
