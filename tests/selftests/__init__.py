"""The instruments of the tests do what they say, on a real DynamoDB Local."""
