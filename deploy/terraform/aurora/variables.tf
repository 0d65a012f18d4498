variable "name" {
  description = "What everything is called."
  type        = string
  default     = "hr"
}

variable "engine" {
  description = "aurora-postgresql or aurora-mysql."
  type        = string
  default     = "aurora-postgresql"

  validation {
    condition     = contains(["aurora-postgresql", "aurora-mysql"], var.engine)
    error_message = "The gateway speaks to aurora-postgresql and to aurora-mysql."
  }
}

variable "engine_version" {
  description = "Version of the engine, as AWS writes it; the region's default if null."
  type        = string
  default     = null
}

variable "parameter_group_family" {
  description = "Family of the cluster's parameters, as in aurora-postgresql16 or aurora-mysql8.0."
  type        = string
}

variable "instance_class" {
  description = "Class of the instances."
  type        = string
  default     = "db.r6g.large"
}

variable "instances" {
  description = "The writer and its readers; at least two for the reader endpoint to be worth naming."
  type        = number
  default     = 2
}

variable "database" {
  description = "The first database."
  type        = string
  default     = "hr_prod"
}

variable "vpc_id" {
  description = "Where it all is."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the database, in two zones at least."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "Aurora needs subnets in two zones at least."
  }
}

variable "client_security_group_ids" {
  description = "Who may reach the gateway."
  type        = list(string)
  default     = []
}

variable "accounts" {
  description = "The shared accounts that log in with tokens; made in the database by deploy/sql."
  type        = list(string)
  default     = ["tidegate_read", "tidegate_write"]

  validation {
    # A wildcard would be leave to log in as anybody, the master user included.
    condition     = length(var.accounts) > 0 && alltrue([for account in var.accounts : can(regex("^[a-z_][a-z0-9_]*$", account))])
    error_message = "Name each account; wildcards are not taken."
  }
}

variable "oidc_provider_arn" {
  description = "The cluster's identity provider in IAM, for IRSA."
  type        = string
}

variable "service_account" {
  description = "The gateway's service account, as namespace:name."
  type        = string
  default     = "tidegate:tidegate"

  validation {
    condition     = can(regex("^[a-z0-9-]+:[a-z0-9.-]+$", var.service_account))
    error_message = "Write namespace:name; wildcards are not taken."
  }
}

variable "tags" {
  description = "On everything."
  type        = map(string)
  default     = {}
}
