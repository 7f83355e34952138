variable "name" {
  description = "Beginning of the names of the buckets; the account is added, as names of buckets are unique in the world."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,30}$", var.name))
    error_message = "Small letters, digits and hyphens, 31 at most."
  }
}

variable "artifact_lock_days" {
  description = "Days for which each version of an artifact is locked (compliance mode). None: versions are kept, and may be deleted."
  type        = number
  default     = null
}

variable "evidence_lock_days" {
  description = "Days for which evidence is locked (compliance mode): logs are kept for six months at least (EU AI Act, Art. 19 and 26(6))."
  type        = number
  default     = 184
  validation {
    condition     = var.evidence_lock_days >= 184
    error_message = "At least 184 days, which no six months are longer than."
  }
}

variable "flow_log_days" {
  description = "Days for which flow logs are kept: six months at least (EU AI Act, Art. 19 and 26(6))."
  type        = number
  default     = 400
  validation {
    condition     = var.flow_log_days >= 184
    error_message = "At least 184 days."
  }
}

variable "access_log_days" {
  description = "Days for which it is kept who read or wrote in these buckets."
  type        = number
  default     = 400
  validation {
    condition     = var.access_log_days >= 184
    error_message = "At least 184 days."
  }
}
