"""Tables: created, compared, updated, described as templates and IAM policies."""
