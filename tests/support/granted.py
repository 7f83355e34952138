"""Which permissions a request to AWS asks for (Service Authorization Reference), as AWS itself would look for them in policies of IAM.

The file `aws` in the folder ACTLEDGER_ASKED gets a line for each one that Actledger asked for."""

import os
import pathlib
import urllib.parse

OF_BUCKET = {
    "list-type": "ListBucket", "versions": "ListBucketVersions", "versioning": "GetBucketVersioning",
    "encryption": "GetEncryptionConfiguration", "publicAccessBlock": "GetBucketPublicAccessBlock",
    "object-lock": "GetBucketObjectLockConfiguration", "lifecycle": "GetLifecycleConfiguration",
    "replication": "GetReplicationConfiguration", "logging": "GetBucketLogging",
}
OF_OBJECT = {"tagging": "GetObject{}Tagging", "attributes": "GetObject{}Attributes"}
FREE = ["sts:GetCallerIdentity"]
NAMES = {"logs": "Logs_20140328.", "ec2": "Action=", "sts": "Action="}


def of_s3(method, path, query, headers, answered):
    """Permissions in S3, and in KMS where an object has a key of its own."""
    _, _, key = path.strip("/").partition("/")
    key_of_its_own = answered.get("x-amz-server-side-encryption") == "aws:kms"
    if not key:
        return [f"s3:{name}" for asked, name in OF_BUCKET.items() if method == "GET" and asked in query] or [f"s3:{method} bucket"]
    version = "Version" if "versionId" in query else ""
    of_its_own = [h for h in headers if h.startswith("x-amz-") and h.removeprefix("x-amz-") in ("copy-source", "tagging", "acl", "object-lock-legal-hold")]
    if query.keys() - {"versionId", "x-id", *OF_OBJECT} or of_its_own:
        return [f"s3:{method} object {sorted(query)} {of_its_own}"]
    if method == "PUT":
        locks = ["s3:PutObjectRetention"] if "x-amz-object-lock-mode" in headers else []
        return ["s3:PutObject", *locks] + (["kms:GenerateDataKey"] if key_of_its_own else [])
    if method not in ("GET", "HEAD"):
        return [f"s3:{method} object"]
    found = [f"s3:{name.format(version)}" for asked, name in OF_OBJECT.items() if asked in query]
    if "tagging" not in query:
        found.append(f"s3:GetObject{version}")
        # The bytes are decrypted, and so are checksums.
        found += ["kms:Decrypt"] if key_of_its_own and (method == "GET" or "x-amz-checksum-mode" in headers) else []
    # Nobody is told of a lock who may not read it.
    told = {"x-amz-object-lock-mode": "s3:GetObjectRetention", "x-amz-object-lock-legal-hold": "s3:GetObjectLegalHold"}
    return found + [permission for header, permission in told.items() if header in answered and method == "HEAD"]


def note(method, target, headers, described, answered):
    """Notes what a request asked for, if Actledger sent it."""
    folder = os.environ.get("ACTLEDGER_ASKED")
    headers, answered = ({name.lower(): value for name, value in h.items()} for h in (headers, answered))
    if not folder or "app/actledger" not in headers.get("user-agent", "") + headers.get("x-amz-user-agent", ""):
        return
    path, _, query = target.partition("?")
    service = headers.get("authorization", "///s3").split("/")[3]
    if service == "s3":
        asked = of_s3(method, path, urllib.parse.parse_qs(query, keep_blank_values=True), headers, answered)
    else:
        call = headers.get("x-amz-target") or described
        asked = [f"{service}:{call.removeprefix(NAMES[service]).partition('&')[0]}"]
    with open(pathlib.Path(folder) / "aws", "a") as log:
        log.write("".join(f"{a}\n" for a in asked if a not in FREE))
