# Who reaches whom: clients the gateway, and the gateway alone the database.

resource "aws_security_group" "gateway" {
  name        = "${var.name}-gateway"
  description = "The gateway"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "The database: nothing but the gateway comes in, and nothing goes out"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  description                  = "From the gateway"
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = aws_security_group.gateway.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_egress_rule" "gateway_to_database" {
  description                  = "To the database"
  security_group_id            = aws_security_group.gateway.id
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_egress_rule" "gateway_to_https" {
  description       = "Tokens of AWS, the identity provider, Slack, webhooks"
  security_group_id = aws_security_group.gateway.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "gateway" {
  for_each = {
    for pair in setproduct(var.client_security_group_ids, [6432, 6306, 6480]) : "${pair[0]}-${pair[1]}" => pair
  }

  description                  = "From clients: PostgreSQL, MySQL, API"
  security_group_id            = aws_security_group.gateway.id
  referenced_security_group_id = each.value[0]
  ip_protocol                  = "tcp"
  from_port                    = each.value[1]
  to_port                      = each.value[1]
}
