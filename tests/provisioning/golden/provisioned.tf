resource "aws_dynamodb_table" "beaker" {
  name                        = "myapp-sessions"
  billing_mode                = "PROVISIONED"
  hash_key                    = "id"
  read_capacity               = 20
  write_capacity              = 10
  deletion_protection_enabled = false

  attribute {
    name = "id"
    type = "S"
  }

  attribute {
    name = "userId"
    type = "S"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  global_secondary_index {
    name            = "userId-index"
    hash_key        = "userId"
    projection_type = "KEYS_ONLY"
    read_capacity   = 20
    write_capacity  = 10
  }

  point_in_time_recovery {
    enabled = false
  }

  server_side_encryption {
    enabled = true
  }

  lifecycle {
    prevent_destroy = true
  }
}
