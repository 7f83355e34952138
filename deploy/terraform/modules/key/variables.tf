variable "name" {
  description = "Alias of the key."
  type        = string
}

variable "description" {
  description = "What is encrypted with it."
  type        = string
}

variable "log_groups" {
  description = "Log groups that CloudWatch Logs encrypts with it, a name with * for any characters. None: no log group."
  type        = string
  default     = null
}

variable "takes_log_delivery" {
  description = "Whether flow logs of this account are delivered to a bucket that is encrypted with it."
  type        = bool
  default     = false
}
