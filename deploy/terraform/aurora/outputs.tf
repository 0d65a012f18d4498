output "role_arn" {
  description = "For the chart: serviceAccount.annotations, eks.amazonaws.com/role-arn."
  value       = aws_iam_role.gateway.arn
}

output "gateway_security_group_id" {
  description = "For the gateway's pods or machines."
  value       = aws_security_group.gateway.id
}

output "master_user_secret_arn" {
  description = "Secrets Manager: for deploy/sql, and for nobody else."
  value       = one(aws_rds_cluster.database.master_user_secret[*].secret_arn)
}

output "target" {
  description = "An entry of targets in the gateway's configuration."
  value = {
    name        = var.name
    dialect     = var.engine == "aurora-mysql" ? "mysql" : "postgres"
    environment = "prod"
    endpoint    = "${aws_rds_cluster.database.endpoint}:${local.port}"
    reader      = { endpoint = "${aws_rds_cluster.database.reader_endpoint}:${local.port}" }
    databases   = [var.database]
    tls         = { mode = "verify-full", ca = "/etc/tidegate/trust/rds.pem" }
    iam         = {}
    accounts    = { for account in var.accounts : trimprefix(account, "tidegate_") => { user = account } }
  }
}
