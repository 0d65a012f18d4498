# The role that the gateway's pods take on (IRSA), and all that it may do: log in as these accounts, on this cluster.

data "aws_iam_policy_document" "connect" {
  statement {
    sid     = "LogInAsTheSharedAccounts"
    actions = ["rds-db:connect"]
    resources = [
      for account in var.accounts : join(":", [
        "arn", data.aws_partition.here.partition, "rds-db", data.aws_region.here.name,
        data.aws_caller_identity.here.account_id, "dbuser", "${aws_rds_cluster.database.cluster_resource_id}/${account}",
      ])
    ]
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.oidc_issue}:sub"
      values   = ["system:serviceaccount:${var.service_account}"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.oidc_issue}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "gateway" {
  name               = "${var.name}-gateway"
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "connect" {
  name   = "connect"
  role   = aws_iam_role.gateway.id
  policy = data.aws_iam_policy_document.connect.json
}
