# Aurora with logins by token, which only the gateway can reach, and the role that the gateway logs in by.

locals {
  port       = var.engine == "aurora-mysql" ? 3306 : 5432
  force_tls  = var.engine == "aurora-mysql" ? { require_secure_transport = "ON" } : { "rds.force_ssl" = "1" }
  oidc_issue = element(split(":oidc-provider/", var.oidc_provider_arn), 1)
}

data "aws_caller_identity" "here" {}
data "aws_partition" "here" {}
data "aws_region" "here" {}

resource "aws_db_subnet_group" "database" {
  name       = var.name
  subnet_ids = var.subnet_ids
  tags       = var.tags
}

resource "aws_rds_cluster_parameter_group" "database" {
  name   = var.name
  family = var.parameter_group_family
  tags   = var.tags

  # Nobody logs in without TLS: a token is as good as a password.
  dynamic "parameter" {
    for_each = local.force_tls
    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "immediate"
    }
  }
}

resource "aws_rds_cluster" "database" {
  cluster_identifier                  = var.name
  engine                              = var.engine
  engine_version                      = var.engine_version
  database_name                       = var.database
  port                                = local.port
  db_subnet_group_name                = aws_db_subnet_group.database.name
  db_cluster_parameter_group_name     = aws_rds_cluster_parameter_group.database.name
  vpc_security_group_ids              = [aws_security_group.database.id]
  iam_database_authentication_enabled = true
  storage_encrypted                   = true
  deletion_protection                 = true
  copy_tags_to_snapshot               = true
  backup_retention_period             = 14
  final_snapshot_identifier           = "${var.name}-final"

  # In Secrets Manager, and never in Terraform's state.
  master_username             = "master"
  manage_master_user_password = true

  tags = var.tags
}

resource "aws_rds_cluster_instance" "database" {
  count                = var.instances
  identifier           = "${var.name}-${count.index}"
  cluster_identifier   = aws_rds_cluster.database.id
  engine               = aws_rds_cluster.database.engine
  engine_version       = aws_rds_cluster.database.engine_version
  instance_class       = var.instance_class
  publicly_accessible  = false
  db_subnet_group_name = aws_db_subnet_group.database.name
  tags                 = var.tags
}
