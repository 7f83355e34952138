variable "name" {
  description = "Name of the network, and beginning of the names of what belongs to it."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network; a /16 is cut into four /20 for each zone."
  type        = string
  default     = "10.0.0.0/16"
  validation {
    condition     = can(cidrsubnet(var.cidr, 4, 15))
    error_message = "A block that can be cut into sixteen, 10.0.0.0/16 for example."
  }
}

variable "zones" {
  description = "Availability zones, two at least (EKS asks for two)."
  type        = list(string)
  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 8
    error_message = "From two to eight zones."
  }
}

variable "flow_log_days" {
  description = "Days for which flow logs are kept: six months at least (EU AI Act, Art. 19 and 26(6))."
  type        = number
  default     = 400
  validation {
    condition     = contains([365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_log_days)
    error_message = "A time that CloudWatch Logs knows, and no less than 184 days: 365, 400, 545, 731 or more."
  }
}

variable "flow_log_bucket" {
  description = "Bucket that flow logs are delivered to as well, one whose policy and key let delivery.logs.amazonaws.com write (flow_logs of the module storage). None: the log group alone."
  type        = object({ arn = string })
  default     = null
}
