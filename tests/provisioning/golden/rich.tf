resource "aws_dynamodb_table" "beaker" {
  name                        = "myapp-sessions"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  range_key                   = "part"
  deletion_protection_enabled = true

  tags = {
    "a"    = "b"
    "team" = "web $${x}"
  }

  attribute {
    name = "id"
    type = "S"
  }

  attribute {
    name = "part"
    type = "S"
  }

  attribute {
    name = "userId"
    type = "S"
  }

  attribute {
    name = "visits"
    type = "N"
  }

  ttl {
    attribute_name = "until"
    enabled        = true
  }

  global_secondary_index {
    name            = "userId-index"
    hash_key        = "userId"
    projection_type = "KEYS_ONLY"
  }

  global_secondary_index {
    name            = "visits-index"
    hash_key        = "visits"
    projection_type = "KEYS_ONLY"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/00000000-1111-2222-3333-444444444444"
  }

  on_demand_throughput {
    max_read_request_units = 4000
  }

  lifecycle {
    prevent_destroy = true
  }
}
