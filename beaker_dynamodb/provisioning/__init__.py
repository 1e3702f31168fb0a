"""The table itself: what it must look like, what it looks like, and the steps in between.

It also prints that table as CloudFormation, Terraform and IAM policies, from the same values.
Requests never import this folder; what creates a missing table is imported when it is called.
"""
