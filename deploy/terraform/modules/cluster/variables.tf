variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "kubernetes_version" {
  description = "Version of Kubernetes; one in standard support (Amazon EKS, \"Kubernetes release calendar\")."
  type        = string
  default     = "1.35"
  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "1.35, for example."
  }
}

variable "subnet_ids" {
  description = "Private subnets, in two zones at least."
  type        = list(string)
  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "Two subnets at least."
  }
}

variable "public_access_cidrs" {
  description = "Addresses from which the API is reached over the internet. None: from inside the network alone."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : tonumber(split("/", cidr)[1]) >= 8])
    error_message = "The API is not opened to everybody, nor to half of everybody."
  }
}

variable "log_days" {
  description = "Days for which the logs of the control plane are kept: six months at least (EU AI Act, Art. 19 and 26(6))."
  type        = number
  default     = 400
  validation {
    condition     = contains([365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_days)
    error_message = "A time that CloudWatch Logs knows, and no less than 184 days: 365, 400, 545, 731 or more."
  }
}

variable "instance_types" {
  description = "Instance types of the nodes; gpu-instance-control has to allow them."
  type        = list(string)
  default     = ["t3.medium"]
}

variable "nodes" {
  description = "How many nodes there are, at least, at most and at first."
  type        = object({ min = number, max = number, desired = number })
  default     = { min = 2, max = 4, desired = 2 }
}
