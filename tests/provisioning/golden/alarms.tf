resource "aws_dynamodb_table" "beaker" {
  name         = "myapp-sessions"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }

  attribute {
    name = "userId"
    type = "S"
  }

  attribute {
    name = "my.team"
    type = "N"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  global_secondary_index {
    name            = "userId-index"
    hash_key        = "userId"
    projection_type = "KEYS_ONLY"
  }

  global_secondary_index {
    name            = "my.team-index"
    hash_key        = "my.team"
    projection_type = "KEYS_ONLY"
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_SystemErrors" {
  alarm_name          = "myapp-sessions-SystemErrors"
  alarm_description   = "DynamoDB answers 5xx: pages that need the session are errors, nobody is logged out. Calls are repeated, so single errors are invisible; errors in 3 of 5 minutes are an outage."
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions          = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  metric_query {
    id          = "value"
    expression  = "FILL(getitem, 0) + FILL(putitem, 0) + FILL(deleteitem, 0) + FILL(batchgetitem, 0) + FILL(batchwriteitem, 0) + FILL(query, 0)"
    return_data = true
  }

  metric_query {
    id = "getitem"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "SystemErrors"
      period      = 60
      stat        = "Sum"

      dimensions = {
        "TableName" = "myapp-sessions"
        "Operation" = "GetItem"
      }
    }
  }

  metric_query {
    id = "putitem"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "SystemErrors"
      period      = 60
      stat        = "Sum"

      dimensions = {
        "TableName" = "myapp-sessions"
        "Operation" = "PutItem"
      }
    }
  }

  metric_query {
    id = "deleteitem"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "SystemErrors"
      period      = 60
      stat        = "Sum"

      dimensions = {
        "TableName" = "myapp-sessions"
        "Operation" = "DeleteItem"
      }
    }
  }

  metric_query {
    id = "batchgetitem"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "SystemErrors"
      period      = 60
      stat        = "Sum"

      dimensions = {
        "TableName" = "myapp-sessions"
        "Operation" = "BatchGetItem"
      }
    }
  }

  metric_query {
    id = "batchwriteitem"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "SystemErrors"
      period      = 60
      stat        = "Sum"

      dimensions = {
        "TableName" = "myapp-sessions"
        "Operation" = "BatchWriteItem"
      }
    }
  }

  metric_query {
    id = "query"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "SystemErrors"
      period      = 60
      stat        = "Sum"

      dimensions = {
        "TableName" = "myapp-sessions"
        "Operation" = "Query"
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_ReadThrottleEvents" {
  alarm_name          = "myapp-sessions-ReadThrottleEvents"
  alarm_description   = "A limit, provisioned units or one hot row refuses reads; the application's errors say which (throttled by). Calls are repeated, so a short burst is invisible; 3 of 5 minutes are more than that."
  namespace           = "AWS/DynamoDB"
  metric_name         = "ReadThrottleEvents"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions          = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName" = "myapp-sessions"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_WriteThrottleEvents" {
  alarm_name          = "myapp-sessions-WriteThrottleEvents"
  alarm_description   = "A limit, provisioned units or one hot row refuses writes; the application's errors say which (throttled by). Calls are repeated, so a short burst is invisible; 3 of 5 minutes are more than that."
  namespace           = "AWS/DynamoDB"
  metric_name         = "WriteThrottleEvents"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions          = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName" = "myapp-sessions"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_ReadThrottleEventsUserIdIndex" {
  alarm_name          = "myapp-sessions-ReadThrottleEvents-userId-index"
  alarm_description   = "A limit, provisioned units or one hot row refuses reads of index userId-index; the application's errors say which (throttled by). Calls are repeated, so a short burst is invisible; 3 of 5 minutes are more than that."
  namespace           = "AWS/DynamoDB"
  metric_name         = "ReadThrottleEvents"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions          = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName"                = "myapp-sessions"
    "GlobalSecondaryIndexName" = "userId-index"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_WriteThrottleEventsUserIdIndex" {
  alarm_name          = "myapp-sessions-WriteThrottleEvents-userId-index"
  alarm_description   = "A limit, provisioned units or one hot row refuses writes of index userId-index; the application's errors say which (throttled by). Calls are repeated, so a short burst is invisible; 3 of 5 minutes are more than that."
  namespace           = "AWS/DynamoDB"
  metric_name         = "WriteThrottleEvents"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions          = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName"                = "myapp-sessions"
    "GlobalSecondaryIndexName" = "userId-index"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_ReadThrottleEventsMyTeamIndex" {
  alarm_name          = "myapp-sessions-ReadThrottleEvents-my.team-index"
  alarm_description   = "A limit, provisioned units or one hot row refuses reads of index my.team-index; the application's errors say which (throttled by). Calls are repeated, so a short burst is invisible; 3 of 5 minutes are more than that."
  namespace           = "AWS/DynamoDB"
  metric_name         = "ReadThrottleEvents"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions          = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName"                = "myapp-sessions"
    "GlobalSecondaryIndexName" = "my.team-index"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_WriteThrottleEventsMyTeamIndex" {
  alarm_name          = "myapp-sessions-WriteThrottleEvents-my.team-index"
  alarm_description   = "A limit, provisioned units or one hot row refuses writes of index my.team-index; the application's errors say which (throttled by). Calls are repeated, so a short burst is invisible; 3 of 5 minutes are more than that."
  namespace           = "AWS/DynamoDB"
  metric_name         = "WriteThrottleEvents"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions          = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName"                = "myapp-sessions"
    "GlobalSecondaryIndexName" = "my.team-index"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_LatencyGetItem" {
  alarm_name                            = "myapp-sessions-Latency-GetItem"
  alarm_description                     = "Every page waits for its session once. One row takes a few milliseconds in DynamoDB; 100 ms at p99 for 5 minutes are felt."
  namespace                             = "AWS/DynamoDB"
  metric_name                           = "SuccessfulRequestLatency"
  extended_statistic                    = "p99"
  period                                = 60
  evaluate_low_sample_count_percentiles = "ignore"
  evaluation_periods                    = 5
  datapoints_to_alarm                   = 5
  threshold                             = 100
  comparison_operator                   = "GreaterThanThreshold"
  treat_missing_data                    = "notBreaching"
  alarm_actions                         = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions                            = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName" = "myapp-sessions"
    "Operation" = "GetItem"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_LatencyPutItem" {
  alarm_name                            = "myapp-sessions-Latency-PutItem"
  alarm_description                     = "Every page waits for its session once. One row takes a few milliseconds in DynamoDB; 100 ms at p99 for 5 minutes are felt."
  namespace                             = "AWS/DynamoDB"
  metric_name                           = "SuccessfulRequestLatency"
  extended_statistic                    = "p99"
  period                                = 60
  evaluate_low_sample_count_percentiles = "ignore"
  evaluation_periods                    = 5
  datapoints_to_alarm                   = 5
  threshold                             = 100
  comparison_operator                   = "GreaterThanThreshold"
  treat_missing_data                    = "notBreaching"
  alarm_actions                         = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions                            = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName" = "myapp-sessions"
    "Operation" = "PutItem"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_LatencyDeleteItem" {
  alarm_name                            = "myapp-sessions-Latency-DeleteItem"
  alarm_description                     = "Every page waits for its session once. One row takes a few milliseconds in DynamoDB; 100 ms at p99 for 5 minutes are felt."
  namespace                             = "AWS/DynamoDB"
  metric_name                           = "SuccessfulRequestLatency"
  extended_statistic                    = "p99"
  period                                = 60
  evaluate_low_sample_count_percentiles = "ignore"
  evaluation_periods                    = 5
  datapoints_to_alarm                   = 5
  threshold                             = 100
  comparison_operator                   = "GreaterThanThreshold"
  treat_missing_data                    = "notBreaching"
  alarm_actions                         = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions                            = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName" = "myapp-sessions"
    "Operation" = "DeleteItem"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_LatencyBatchGetItem" {
  alarm_name                            = "myapp-sessions-Latency-BatchGetItem"
  alarm_description                     = "Pages that list or end a user's sessions wait for it. Up to 100 rows take tens of milliseconds in DynamoDB; 500 ms at p99 for 5 minutes are felt."
  namespace                             = "AWS/DynamoDB"
  metric_name                           = "SuccessfulRequestLatency"
  extended_statistic                    = "p99"
  period                                = 60
  evaluate_low_sample_count_percentiles = "ignore"
  evaluation_periods                    = 5
  datapoints_to_alarm                   = 5
  threshold                             = 500
  comparison_operator                   = "GreaterThanThreshold"
  treat_missing_data                    = "notBreaching"
  alarm_actions                         = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions                            = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName" = "myapp-sessions"
    "Operation" = "BatchGetItem"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_LatencyBatchWriteItem" {
  alarm_name                            = "myapp-sessions-Latency-BatchWriteItem"
  alarm_description                     = "Every page waits for its session once. Up to 100 rows take tens of milliseconds in DynamoDB; 500 ms at p99 for 5 minutes are felt."
  namespace                             = "AWS/DynamoDB"
  metric_name                           = "SuccessfulRequestLatency"
  extended_statistic                    = "p99"
  period                                = 60
  evaluate_low_sample_count_percentiles = "ignore"
  evaluation_periods                    = 5
  datapoints_to_alarm                   = 5
  threshold                             = 500
  comparison_operator                   = "GreaterThanThreshold"
  treat_missing_data                    = "notBreaching"
  alarm_actions                         = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions                            = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName" = "myapp-sessions"
    "Operation" = "BatchWriteItem"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_LatencyQuery" {
  alarm_name                            = "myapp-sessions-Latency-Query"
  alarm_description                     = "Pages that list or end a user's sessions wait for it. Up to 100 rows take tens of milliseconds in DynamoDB; 500 ms at p99 for 5 minutes are felt."
  namespace                             = "AWS/DynamoDB"
  metric_name                           = "SuccessfulRequestLatency"
  extended_statistic                    = "p99"
  period                                = 60
  evaluate_low_sample_count_percentiles = "ignore"
  evaluation_periods                    = 5
  datapoints_to_alarm                   = 5
  threshold                             = 500
  comparison_operator                   = "GreaterThanThreshold"
  treat_missing_data                    = "notBreaching"
  alarm_actions                         = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions                            = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName" = "myapp-sessions"
    "Operation" = "Query"
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_ConditionalCheckFailedShare" {
  alarm_name          = "myapp-sessions-ConditionalCheckFailedShare"
  alarm_description   = "More than 20 percent of the writes are refused because requests of one session overlap: look for a page that sends many at once. Each is merged and written again, which costs a second write. Some are normal: fewer than 30 in 5 minutes are ignored."
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  threshold           = 20
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions          = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  metric_query {
    id          = "value"
    expression  = "IF(refused >= 30, 100 * refused / (refused + FILL(putitem, 0) + FILL(deleteitem, 0)), 0)"
    return_data = true
  }

  metric_query {
    id = "refused"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "ConditionalCheckFailedRequests"
      period      = 300
      stat        = "Sum"

      dimensions = {
        "TableName" = "myapp-sessions"
      }
    }
  }

  metric_query {
    id = "putitem"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "SuccessfulRequestLatency"
      period      = 300
      stat        = "SampleCount"

      dimensions = {
        "TableName" = "myapp-sessions"
        "Operation" = "PutItem"
      }
    }
  }

  metric_query {
    id = "deleteitem"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "SuccessfulRequestLatency"
      period      = 300
      stat        = "SampleCount"

      dimensions = {
        "TableName" = "myapp-sessions"
        "Operation" = "DeleteItem"
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "beaker_NoTimeToLiveDeletions" {
  alarm_name          = "myapp-sessions-NoTimeToLiveDeletions"
  alarm_description   = "TTL is off or on another attribute: the table grows. DynamoDB deletes within days, so one day without deletions is normal. A new table fires until its first rows have expired."
  namespace           = "AWS/DynamoDB"
  metric_name         = "TimeToLiveDeletedItemCount"
  statistic           = "Sum"
  period              = 86400
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  ok_actions          = ["arn:aws:sns:eu-central-1:123456789012:on-call"]

  dimensions = {
    "TableName" = "myapp-sessions"
  }
}
