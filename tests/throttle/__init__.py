"""A table that is throttled as DynamoDB throttles, and what users notice of it."""
