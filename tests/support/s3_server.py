"""S3 on loopback (moto). Makes the bucket `locked` with Object Lock and `plain` without versions."""

import logging

import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
port = server.get_host_and_port()[1]
client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-central-1",
                      aws_access_key_id="test", aws_secret_access_key="test")
place = {"LocationConstraint": "eu-central-1"}
client.create_bucket(Bucket="locked", CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True)
client.create_bucket(Bucket="plain", CreateBucketConfiguration=place)
print(port, flush=True)
server._thread.join()
