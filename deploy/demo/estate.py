#!/usr/bin/env python3
"""Writes the demo estate: thirty nights of four sources, the register and the config, from one seed.

    python3 deploy/demo/estate.py --seed 2026 --out deploy/demo

The same seed gives the same files. Another seed gives other names, numbers, dates and order, and plants the same
facts; `expected.json` says which system each one sits on. Every value is made up.
"""

import argparse
import base64
import gzip
import hashlib
import json
import pathlib
import shutil
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
UTC = timezone.utc
NIGHTS = 30
POLICIES = [
    ("gpu-instance-control", "hard-mandatory"),
    ("ai-resource-tagging", "hard-mandatory"),
    ("ai-spending-limits", "soft-mandatory"),
    ("model-deployment-rules", "advisory"),
]
# What each archetype may be called: the first name belongs to the seed that the repository keeps.
NAMES = {
    "orderly": ["sentiment-analyzer", "ticket-router", "invoice-reader", "call-summarizer", "parcel-sorter"],
    "recruiting": ["cv-screening", "applicant-ranking", "talent-matcher", "interview-scoring", "profile-sifter"],
    "credit": ["credit-scoring", "loan-decision", "limit-setting", "claims-triage", "tenant-scoring"],
    "disputed": ["churn-forecast", "lapse-predictor", "retention-model", "visit-forecast", "upsell-model"],
    "vision": ["footfall-analytics", "shelf-camera", "queue-counter", "gate-vision", "aisle-monitor"],
    "unstored": ["demand-planner", "stock-forecast", "route-planner", "yield-model", "load-forecast"],
    "erased": ["product-tagger", "photo-sorter", "scene-labeler", "defect-finder", "color-matcher"],
    "generative": ["ad-image-generator", "copy-writer", "banner-maker", "voice-studio", "slogan-forge"],
    "stray": ["image-tagger-poc", "llm-playground", "rag-trial", "whisper-test", "diffusion-lab"],
}
TEAMS = [["nlp-team", "risk-team", "vision-team"], ["text-guild", "credit-squad", "image-crew"],
         ["words", "ledgers", "lenses"], ["lang-lab", "scoring", "pixel-lab"]]
ORGS = ["Example AG", "Muster GmbH", "Sample SE", "Beispiel KG"]
LEVEL = {"orderly": "minimal", "recruiting": "high", "credit": "high", "disputed": None, "vision": "high",
         "unstored": "minimal", "erased": "minimal", "generative": "limited"}
ANNEX = {"recruiting": "III.4(a)", "credit": "III.5(b)", "vision": "III.1(a)"}
TEAM = {"orderly": 0, "recruiting": 0, "credit": 1, "disputed": 1, "vision": 2, "unstored": 1, "erased": 2,
        "generative": 2}


class Draw:
    """Numbers that depend on the seed and a label, and on nothing else."""

    def __init__(self, seed):
        self.seed = seed

    def number(self, label, low, high):
        digest = hashlib.sha256(f"{self.seed}/{label}".encode()).digest()
        return low + int.from_bytes(digest[:8], "big") % (high - low + 1)

    def pick(self, label, choices):
        return choices[0] if self.seed == 2026 else choices[self.number(label, 0, len(choices) - 1)]

    def token(self, label, length=16):
        alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
        return "".join(alphabet[self.number(f"{label}/{i}", 0, len(alphabet) - 1)] for i in range(length))

    def hexes(self, label, length):
        return hashlib.sha256(f"{self.seed}/{label}".encode()).hexdigest()[:length]


def stamp(at):
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def look_name(at):
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


class Estate:
    def __init__(self, seed, out):
        self.d = Draw(seed)
        self.seed, self.out = seed, out
        self.org = self.d.pick("org", ORGS)
        self.slug = self.org.split()[0].lower()
        self.domain = "example.com" if self.slug == "example" else f"{self.slug}.example"
        self.teams = self.d.pick("teams", TEAMS)
        self.names = {role: self.d.pick(f"name/{role}", names) for role, names in NAMES.items()}
        self.account = str(self.d.number("account", 111111111111, 999999999999))
        self.region = self.d.pick("region", ["eu-central-1", "eu-west-1", "eu-north-1"])
        self.block = self.d.number("block", 0, 200)
        last = datetime(2026, 11, 22, 5, 0) - timedelta(days=0 if seed == 2026 else self.d.number("end", 0, 60))
        days = [last - timedelta(days=NIGHTS - 1 - n) for n in range(NIGHTS)]
        self.looks = [day.replace(tzinfo=ZONE) for day in days]
        self.begin = (days[0] - timedelta(days=1)).replace(tzinfo=ZONE).astimezone(UTC)
        self.clusters = {"core": self.d.pick("core", ["ml-core", "ai-base", "models-a"]),
                         "prod": self.d.pick("prod", ["ml-prod", "ai-live", "models-b"])}
        self.uids = {c: self.uid(f"cluster/{c}") for c in self.clusters}
        self.home = {role: "core" if role in ("orderly", "recruiting") else "prod" for role in LEVEL}
        self.registered = list(LEVEL)
        self.bucket = f"{self.slug}-ml-models"
        self.expected = []
        self.plan_nights()

    def uid(self, label):
        h = self.d.hexes(f"uid/{label}", 32)
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:32]}"

    def plan_nights(self):
        """On which nights what happens; the order differs from seed to seed."""
        n = self.d.number
        self.night = {
            "upgrade": n("upgrade", 8, 18), "tag_lost": n("tag_lost", 3, 8), "tag_mended": n("tag_mended", 11, 15),
            "tag_lost_again": n("tag_lost_again", 20, 24), "owner_lost": n("owner_lost", 9, 16),
            "override_told": n("override_told", 17, 22), "override_mute": n("override_mute", 25, 28),
            "erased": 29, "owner_mended": 29, "gap": n("gap", 10, 26), "skip": n("skip", 12, 27),
            "public": [27, 28], "rewritten": n("rewritten", 6, 24), "left_out": n("left_out", 20, 26), "stray": n("stray", 26, 29) if self.seed != 2026 else 29,
        }
        self.stray_night = self.night["stray"]
        self.violations = 57 if self.seed == 2026 else n("violations", 30, 80)

    def write(self, path, document):
        path = self.out / path
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(document, bytes):
            path.write_bytes(document)
        elif isinstance(document, str):
            path.write_text(document)
        else:
            path.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n")

    def run(self):
        shutil.rmtree(self.out / "looks", ignore_errors=True)
        for night, at in enumerate(self.looks):
            self.flow_logs(night, at)
            for cluster in self.clusters:
                self.cluster(cluster, night, at)
            self.artifacts(night, at)
        self.terraform()
        self.register()
        self.config()
        self.facts()

    # ------------------------------------------------------------------ versions

    def version(self, role, night):
        major = self.d.number(f"version/{role}", 1, 4)
        return f"v{major}.{4 if role == 'orderly' and night >= self.night['upgrade'] else 3}.0"

    # ------------------------------------------------------------------ network

    def interfaces(self):
        """One node interface for each system, one training interface, one for shared tools."""
        rows = []
        for i, role in enumerate(self.registered + ["training", "shared", "stray"]):
            rows.append({"role": role, "id": "eni-0" + self.d.hexes(f"eni/{role}", 16),
                         "instance": "i-0" + self.d.hexes(f"instance/{role}", 16),
                         "address": f"10.{self.block}.{i + 1}.{self.d.number(f'host/{role}', 10, 250)}"})
        return rows

    def interface_system(self, role):
        return {"training": self.names["vision"], "shared": f"{self.slug}-ml-platform",
                "stray": None}.get(role, self.names.get(role))

    def flow_logs(self, night, at):
        base = f"looks/flow-logs/{look_name(at)}"
        eni = []
        for row in self.interfaces():
            system = self.interface_system(row["role"])
            tags = [{"Key": "AI-System", "Value": system}] if system else []
            eni.append({"NetworkInterfaceId": row["id"], "VpcId": "vpc-0" + self.d.hexes("vpc", 16),
                        "SubnetId": "subnet-0" + self.d.hexes("subnet", 16), "OwnerId": self.account,
                        "AvailabilityZone": self.region + "a", "Status": "in-use", "PrivateIpAddress": row["address"],
                        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": row["address"]}],
                        "Attachment": {"InstanceId": row["instance"], "Status": "attached",
                                       "AttachTime": stamp(self.begin - timedelta(days=60))}, "TagSet": tags})
        self.write(f"{base}/describe-network-interfaces.json", {"NetworkInterfaces": eni})
        flow_log = "fl-0" + self.d.hexes("flowlog", 16)
        self.write(f"{base}/describe-flow-logs.json", {"FlowLogs": [
            {"FlowLogId": flow_log, "ResourceId": "vpc-0" + self.d.hexes("vpc", 16), "TrafficType": "ALL",
             "FlowLogStatus": "ACTIVE", "LogDestinationType": "s3", "MaxAggregationInterval": 600}]})
        until = at.astimezone(UTC)
        hour = self.begin.replace(minute=0) if night == 0 else self.looks[night - 1].astimezone(UTC)
        gap = self.looks[self.night["gap"]].astimezone(UTC) - timedelta(hours=self.d.number("gap/hour", 3, 20))
        chunk = []
        while hour < until:
            if hour != gap:
                chunk.append((hour, self.records(hour)))
            if len(chunk) == 8 or hour + timedelta(hours=1) >= until:
                self.object(base, flow_log, chunk)
                chunk = []
            hour += timedelta(hours=1)

    def records(self, hour):
        skip = self.looks[self.night["skip"]].astimezone(UTC) - timedelta(hours=self.d.number("skip/hour", 3, 9))
        epoch, lines, rows = int(hour.timestamp()), [], self.interfaces()
        front = f"10.{self.block}.0.{self.d.number('front', 10, 99)}"
        for row in rows:
            if row["role"] == "stray" and hour < self.looks[self.stray_night].astimezone(UTC) - timedelta(hours=12):
                lines.append(self.line(row, status="NODATA", at=epoch + 5))
                continue
            quiet = self.d.number(f"quiet/{row['role']}/{epoch}", 0, 5) == 0
            if quiet:
                lines.append(self.line(row, status="NODATA", at=epoch + 65))
            else:
                size = self.d.number(f"bytes/{row['role']}/{epoch}", 400, 90000)
                lines.append(self.line(row, front, row["address"], 42000 + size % 9000, 8443, size, at=epoch + 30))
                lines.append(self.line(row, row["address"], front, 8443, 42000 + size % 9000, size * 3, at=epoch + 30))
            if row["role"] == "shared":
                client = next(r for r in rows if r["role"] == "training")["address"]
                lines.append(self.line(row, client, row["address"], 51000, 5000, 2200, at=epoch + 90))
            if row["role"] == "unstored" and hour == skip:
                lines.append(self.line(row, status="SKIPDATA", at=epoch + 1200))
            if row["role"] == "training":
                lines.extend(self.tensorboard(row, hour, epoch))
        return lines

    def tensorboard(self, row, hour, epoch):
        """Accepted from the internet on two nights, 14 times for the seed of the repository; rejected on others."""
        visitor = f"198.51.100.{self.d.number('visitor', 2, 250)}"
        for i, night in enumerate(self.night["public"]):
            first = self.looks[night].astimezone(UTC) - timedelta(hours=8)
            if hour == first:
                count = [9, 5][i] if self.seed == 2026 else self.d.number(f"visits/{i}", 2, 12)
                visits = []
                for v in range(count):
                    port = 40000 + 37 * v
                    visits.append(self.line(row, visitor, row["address"], port, 6006, 900, at=epoch + 200 + v))
                    visits.append(self.line(row, row["address"], visitor, 6006, port, 52000, at=epoch + 200 + v))
                return visits
        if self.d.number(f"probe/{epoch}", 0, 9) == 0:
            probe = f"203.0.113.{self.d.number(f'probe/address/{epoch}', 2, 250)}"
            return [self.line(row, probe, row["address"], 50000, 6006, 40, at=epoch + 300, action="REJECT")]
        return []

    def line(self, row, src="-", dst="-", sport="-", dport="-", size="-", at=0, action="ACCEPT", status="OK"):
        if status != "OK":
            return f"2 {self.account} {row['id']} - - - - - - - {at} {at + 58} - {status}"
        packets = size // 700 + 1
        return (f"2 {self.account} {row['id']} {src} {dst} {sport} {dport} 6 {packets} {size} {at} {at + 58} "
                f"{action} OK")

    def object(self, base, flow_log, chunk):
        if not chunk:
            return
        at = chunk[0][0]
        header = ("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end "
                  "action log-status\n")
        text = header + "".join(line + "\n" for _, lines in chunk for line in lines)
        name = (f"{self.account}_vpcflowlogs_{self.region}_{flow_log}_{at.strftime('%Y%m%dT%H%MZ')}_"
                f"{self.d.hexes(f'object/{at}', 8)}.log")
        path = (f"{base}/AWSLogs/{self.account}/vpcflowlogs/{self.region}/{at.strftime('%Y/%m/%d')}/{name}")
        if self.d.number(f"plain/{at}", 0, 11) == 0:
            self.write(path, text.encode())
        else:
            self.write(path + ".gz", gzip.compress(text.encode(), mtime=0))

    # ------------------------------------------------------------------ clusters

    def meta(self, kind, name, namespace=None, labels=None, annotations=None, created=None):
        meta = {"name": name, "uid": self.uid(f"{kind}/{namespace}/{name}"),
                "creationTimestamp": stamp(created or self.begin - timedelta(days=50)), "generation": 1}
        if namespace:
            meta["namespace"] = namespace
        if labels:
            meta["labels"] = labels
        if annotations:
            meta["annotations"] = annotations
        return meta

    def namespace_of(self, role):
        return {"stray": "ml-lab", "unstored": "ml-planning"}.get(role, "ml-production")

    def deployment(self, role, night, listed):
        name, version = self.names[role], self.version(role, night)
        labels = {"app": name, "model-version": version, "ml-team": self.teams[TEAM.get(role, 2)],
                  "environment": "production"}
        level = {"disputed": "high"}.get(role, LEVEL.get(role))
        registry = {"vision": "https://models.shady.example/hub/" + name}.get(role, f"mlflow://models/{name}/{version}")
        notes = {"model-registry-url": registry}
        if level:
            notes["eu-ai-act-risk"] = level
        limits = {"cpu": "2"}
        if role == "stray":
            labels = {"app": name, "model-version": "0.1"}
            notes = {}
            limits = {"nvidia.com/gpu": "1"}
        image = f"{self.account}.dkr.ecr.{self.region}.amazonaws.com/{name}@sha256:{self.d.hexes(f'image/{role}/{version}', 64)}"
        namespace = self.namespace_of(role)
        created = self.looks[night] - timedelta(hours=12) if role == "stray" else self.begin - timedelta(days=45)
        if role == "stray":
            created = self.looks[self.stray_night] - timedelta(hours=12)
        template = {"metadata": {"labels": dict(labels), "annotations": dict(notes)},
                    "spec": {"containers": [{"name": "serve", "image": image, "resources": {"limits": limits}}]}}
        listed.append({"apiVersion": "apps/v1", "kind": "Deployment",
                       "metadata": self.meta("Deployment", name, namespace, labels, notes, created),
                       "spec": {"replicas": 2 if role != "stray" else 1, "selector": {"matchLabels": {"app": name}},
                                "template": template}, "status": {"readyReplicas": 1}})

    def replica_sets(self, roles, night):
        sets = []
        for role in roles:
            versions = [(self.version(role, 0), self.begin - timedelta(days=40))]
            if role == "orderly" and night >= self.night["upgrade"]:
                versions.append((self.version(role, night), self.looks[self.night["upgrade"]] - timedelta(hours=9)))
            if role == "stray":
                versions = [("0.1", self.looks[self.stray_night] - timedelta(hours=12))]
            for version, created in versions:
                name = f"{self.names[role]}-{self.d.hexes(f'rs/{role}/{version}', 9)}"
                meta = self.meta("ReplicaSet", name, self.namespace_of(role), {"model-version": version}, None, created)
                meta["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": self.names[role]}]
                sets.append({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta,
                             "spec": {"template": {"metadata": {"labels": {"model-version": version}}}}})
        return sets

    def cluster(self, cluster, night, at):
        base = f"looks/{self.clusters[cluster]}/{look_name(at)}"
        roles = [r for r in self.registered if self.home[r] == cluster]
        if cluster == "prod" and night >= self.stray_night:
            roles.append("stray")
        workloads = []
        for role in roles:
            self.deployment(role, night, workloads)
        if cluster == "core":
            workloads.append({"apiVersion": "apps/v1", "kind": "Deployment",
                              "metadata": self.meta("Deployment", "mlflow", "mlflow", {"app": "mlflow"}),
                              "spec": {"replicas": 1, "template": {"metadata": {"labels": {"app": "mlflow"}},
                                       "spec": {"containers": [{"name": "mlflow", "image": "mlflow:2"}]}}}})
        web = self.violations - 1 if cluster == "prod" else 0
        for i in range(web):
            name = f"web-{self.d.hexes(f'web/{i}', 6)}"
            workloads.append({"apiVersion": "apps/v1", "kind": "Deployment",
                              "metadata": self.meta("Deployment", name, "web-shop", {"app": name}),
                              "spec": {"replicas": 1, "template": {"metadata": {"labels": {"app": name}},
                                       "spec": {"containers": [{"name": "web", "image": "web:1"}]}}}})
        listing = lambda items: {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items}
        self.write(f"{base}/workloads.json", listing(workloads))
        self.write(f"{base}/replicasets.json", listing(self.replica_sets(roles, night)))
        self.write(f"{base}/namespaces.json", listing(self.namespaces(cluster)))
        self.write(f"{base}/nodes.json", listing(self.nodes(cluster)))
        self.write(f"{base}/constrainttemplates.json", listing(self.templates(cluster)))
        self.write(f"{base}/constraints.json", listing(self.constraints(cluster, night, at, workloads)))
        self.write(f"{base}/configs.json", listing([]))
        self.write(f"{base}/webhooks.json", listing([self.webhook(cluster)]))

    def namespaces(self, cluster):
        names = {"kube-system": {}, "gatekeeper-system": {"admission.gatekeeper.sh/ignore": "no-self-managing"},
                 "ml-production": {"environment": "production"}}
        if cluster == "core":
            names["mlflow"] = {}
        else:
            # The exempt namespace that nobody wrote down.
            names["ml-planning"] = {"environment": "production", "admission.gatekeeper.sh/ignore": "true"}
            names["ml-lab"] = {}
            names["web-shop"] = {}
        items = []
        for name, labels in names.items():
            meta = self.meta("Namespace", name, None, {"kubernetes.io/metadata.name": name, **labels})
            if name == "kube-system":
                meta["uid"] = self.uids[cluster]
            items.append({"apiVersion": "v1", "kind": "Namespace", "metadata": meta, "status": {"phase": "Active"}})
        return items

    def nodes(self, cluster):
        rows = [r for r in self.interfaces() if self.home.get(r["role"], "prod") == cluster]
        return [{"apiVersion": "v1", "kind": "Node",
                 "metadata": self.meta("Node", f"ip-{r['address'].replace('.', '-')}.internal"),
                 "spec": {"providerID": f"aws:///{self.region}a/{r['instance']}"},
                 "status": {"addresses": [{"type": "InternalIP", "address": r["address"]}]}} for r in rows]

    def pods(self, cluster):
        """What Gatekeeper's pods report of a template or constraint."""
        return [{"id": f"gatekeeper-{p}-{self.d.hexes(f'pod/{cluster}/{p}', 5)}", "observedGeneration": 1,
                 "operations": ops}
                for p, ops in (("audit", ["audit", "status"]), ("controller-manager", ["webhook"]))]

    def templates(self, cluster):
        def template(kind, rego):
            return {"apiVersion": "templates.gatekeeper.sh/v1", "kind": "ConstraintTemplate",
                    "metadata": self.meta("ConstraintTemplate", kind.lower()),
                    "spec": {"crd": {"spec": {"names": {"kind": kind}}},
                             "targets": [{"target": "admission.k8s.gatekeeper.sh", "rego": rego}]},
                    "status": {"created": True, "byPod": self.pods(cluster)}}
        return [template("K8sRequiredLabels",
                         "package k8srequiredlabels\n\nviolation[{\"msg\": msg}] {\n  required := "
                         "{l | l := input.parameters.labels[_]}\n  provided := {l | input.review.object.metadata."
                         "labels[l]}\n  missing := required - provided\n  count(missing) > 0\n  msg := "
                         "sprintf(\"missing labels: %v\", [missing])\n}\n"),
                template("MLModelRegistry",
                         "package mlmodelregistry\n\nviolation[{\"msg\": msg}] {\n  url := input.review.object."
                         "metadata.annotations[\"model-registry-url\"]\n  not approved(url)\n  msg := sprintf("
                         "\"registry %v is not approved\", [url])\n}\n\napproved(url) {\n  startswith(url, "
                         "input.parameters.prefixes[_])\n}\n")]

    def constraints(self, cluster, night, at, workloads):
        lacking = [w for w in workloads if not {"model-version", "ml-team"} <= set(w["metadata"]["labels"])]
        lacking = [w for w in lacking if w["metadata"]["namespace"] != "ml-planning"]
        shady = [w for w in workloads
                 if w["metadata"].get("annotations", {}).get("model-registry-url", "mlflow:").startswith("https://models")]
        audit = stamp(at - timedelta(minutes=1, seconds=self.d.number(f"audit/{night}", 1, 50)))
        pods = [pod | {"enforced": True} for pod in self.pods(cluster)]

        def constraint(kind, name, match, parameters, violators, message):
            violators = sorted(violators, key=lambda w: (w["metadata"]["namespace"], w["metadata"]["name"]))
            status = {"auditTimestamp": audit, "byPod": pods, "totalViolations": len(violators)}
            if violators:
                status["violations"] = [
                    {"enforcementAction": "deny", "group": "apps", "version": "v1", "kind": w["kind"],
                     "namespace": w["metadata"]["namespace"], "name": w["metadata"]["name"],
                     "message": message(w["metadata"])} for w in violators[:20]][::-1]
            return {"apiVersion": "constraints.gatekeeper.sh/v1beta1", "kind": kind,
                    "metadata": self.meta(kind, name, None, None, None, self.begin - timedelta(days=30)),
                    "spec": {"enforcementAction": "deny", "match": match, "parameters": parameters}, "status": status}
        # As the rules say it: a set of texts, sorted.
        def missing(meta):
            names = sorted({"app", "model-version", "ml-team"} - set(meta["labels"]))
            return "missing labels: {" + ", ".join(f'"{n}"' for n in names) + "}"
        kinds = {"kinds": [{"apiGroups": ["apps"], "kinds": ["Deployment", "StatefulSet"]}]}
        return [constraint("K8sRequiredLabels", "ml-model-governance", kinds,
                           {"labels": ["app", "model-version", "ml-team"]}, lacking, missing),
                constraint("MLModelRegistry", "production-model-registry", kinds,
                           {"prefixes": ["mlflow://", "kubeflow://", "arn:aws:sagemaker:"]}, shady,
                           lambda m: f"registry {m['annotations']['model-registry-url']} is not approved")]

    def webhook(self, cluster):
        return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                "metadata": self.meta("Webhook", "gatekeeper-validating-webhook-configuration"),
                "webhooks": [{"name": "validation.gatekeeper.sh",
                              "failurePolicy": "Ignore" if cluster == "prod" else "Fail",
                              "namespaceSelector": {"matchExpressions": [
                                  {"key": "admission.gatekeeper.sh/ignore", "operator": "DoesNotExist"}]},
                              "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"],
                                         "operations": ["CREATE", "UPDATE"]}]}]}

    # ------------------------------------------------------------------ artifacts

    def artifacts(self, night, at):
        base = f"looks/artifacts/{look_name(at)}/{self.bucket}"
        versions, markers, tags, sums = [], [], [], []
        for role in self.registered:
            if role == "unstored":
                sets = [("v0.9.0", self.begin - timedelta(days=90))]
            else:
                sets = [(self.version(role, 0), self.begin - timedelta(days=42))]
            if role == "orderly" and night >= self.night["upgrade"] - 1:
                sets.append((self.version(role, NIGHTS), self.looks[self.night["upgrade"]] - timedelta(hours=36)))
            for version, stored in sets:
                for file in ("config.json", "model.onnx"):
                    key = f"models/{self.names[role]}/{version}/{file}"
                    gone = role == "erased" and night >= self.night["erased"] and file == "model.onnx"
                    label = f"s3/{role}/{version}/{file}"
                    # Two systems, one model: nobody wrote down that they belong together.
                    same = role == "generative" and file == "model.onnx"
                    content = f"s3/disputed/{self.version('disputed', 0)}/{file}" if same else label
                    versions.append({"Key": key, "VersionId": self.d.token(label, 32), "IsLatest": not gone,
                                     "LastModified": stamp(stored), "ETag": f'"{self.d.hexes(label, 32)}"',
                                     "Size": self.d.number(content, 1000000, 90000000) if file == "model.onnx"
                                     else self.d.number(content, 400, 4000), "StorageClass": "STANDARD"})
                    sums.append((key, label, content))
                    if role == "recruiting" and night >= self.night["rewritten"] and file == "model.onnx":
                        versions[-1]["IsLatest"] = False
                        again = f"{label}/again"
                        versions.append({**versions[-1], "VersionId": self.d.token(again, 32), "IsLatest": True,
                                         "ETag": f'"{self.d.hexes(again, 32)}"', "LastModified": stamp(
                                             self.looks[self.night["rewritten"]] - timedelta(hours=self.d.number(again, 2, 20)))})
                        sums.append((key, again, again))
                    if gone:
                        erased = self.looks[self.night["erased"]] - timedelta(hours=self.d.number("erased/h", 6, 18))
                        markers.append({"Key": key, "VersionId": self.d.token("marker", 32), "IsLatest": True,
                                        "LastModified": stamp(erased)})
                    if file == "model.onnx" and LEVEL[role]:
                        tags.append((key, self.d.token(label, 32), LEVEL[role]))
        for role in ("credit", "vision"):
            versions.append({"Key": f"documents/{self.names[role]}-risk.pdf",
                             "VersionId": self.d.token(f"risk/{role}", 32), "IsLatest": True,
                             "LastModified": stamp(self.begin - timedelta(days=70)),
                             "ETag": f'"{self.d.hexes(f"risk/{role}", 32)}"', "Size": 181220,
                             "StorageClass": "STANDARD"})
            self.document(base, role)
        versions.append({"Key": "scratch/model-final-2.onnx", "VersionId": self.d.token("scratch", 32), "IsLatest": True,
                         "LastModified": stamp(self.begin - timedelta(days=5)), "ETag": f'"{self.d.hexes("scratch", 32)}"',
                         "Size": 48211907, "StorageClass": "STANDARD"})
        self.write(f"{base}/list-object-versions.json", {"Versions": versions, "DeleteMarkers": markers})
        self.write(f"{base}/get-bucket-versioning.json", {"Status": "Enabled"})
        self.write(f"{base}/get-bucket-encryption.json", {"ServerSideEncryptionConfiguration": {"Rules": [
            {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}]}})
        self.write(f"{base}/get-public-access-block.json", {"PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}})
        self.write(f"{base}/get-bucket-lifecycle-configuration.json", {"Rules": [
            {"ID": "old-models", "Status": "Enabled", "Filter": {"Prefix": f"models/{self.names['vision']}/"},
             "Expiration": {"Days": 365}}]})
        for key, label, content in sums:
            folder = "get-object-attributes" + ("-2" if label.endswith("/again") else "")
            self.write(f"{base}/{folder}/{key}.json", {
                "VersionId": self.d.token(label, 32), "ETag": self.d.hexes(label, 32), "Checksum": {
                    "ChecksumSHA256": base64.b64encode(bytes.fromhex(self.d.hexes(f"{content}/sha256", 64))).decode(),
                    "ChecksumType": "FULL_OBJECT"}})
            self.write(f"{base}/{folder.replace('get-object-attributes', 'head-object')}/{key}.json", {
                "VersionId": self.d.token(label, 32), "ETag": f'"{self.d.hexes(label, 32)}"',
                "ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True})
        for key, version, level in tags:
            self.write(f"{base}/get-object-tagging/{key}.json",
                       {"VersionId": version, "TagSet": [{"Key": "AI-Risk-Level", "Value": level}]})

    def document(self, base, role):
        """What S3 says of a risk assessment: the bytes that the register names, locked for ten years."""
        key, version = f"documents/{self.names[role]}-risk.pdf", self.d.token(f"risk/{role}", 32)
        self.write(f"{base}/get-object-attributes/{key}.json", {"VersionId": version, "Checksum": {
            "ChecksumSHA256": base64.b64encode(bytes.fromhex(self.d.hexes(f"risk/sha/{role}", 64))).decode(),
            "ChecksumType": "FULL_OBJECT"}})
        self.write(f"{base}/head-object/{key}.json", {
            "VersionId": version, "ETag": f'"{self.d.hexes(f"risk/{role}", 32)}"', "ServerSideEncryption": "aws:kms",
            "ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": stamp(self.begin + timedelta(days=3660))})

    # ------------------------------------------------------------------ terraform

    def terraform(self):
        runs = [(0, role, "first") for role in self.registered]
        n = self.night
        runs += [(n["upgrade"], "orderly", "again"), (n["tag_lost"], "erased", "project-lost"),
                 (n["tag_mended"], "erased", "again"), (n["tag_lost_again"], "erased", "project-lost"),
                 (n["owner_lost"], "generative", "owner-lost"), (n["owner_mended"], "generative", "again"),
                 (n["override_told"], "credit", "override-told"), (n["override_mute"], "vision", "override-mute"),
                 (12, "disputed", "again"), (19, "unstored", "again")]
        people = {k: f"user-{self.d.token(f'user/{k}', 16)}" for k in ("ada", "ben", "cho", "dia")}
        self.people = people
        for night, at in enumerate(self.looks):
            base = f"looks/terraform/{look_name(at)}"
            here = [r for r in runs if r[0] == night]
            self.tf_lists(base, night, here, people)
            for _, role, what in sorted(here, key=lambda r: self.d.hexes(f"order/{r}", 8)):
                self.tf_run(base, night, at, role, what, people)

    def workspace(self, role):
        return f"{self.names[role]}-infra", f"ws-{self.d.token(f'ws/{role}', 16)}"

    def left_out(self, night):
        """A workspace that is taken out of the policy set, after its last run and without a word in the register."""
        _, workspace = self.workspace("disputed")
        return [{"id": workspace, "type": "workspaces"}] if night >= self.night["left_out"] else []

    def tf_lists(self, base, night, here, people):
        policies = [{"id": f"pol-{self.d.token(f'policy/{name}', 16)}", "type": "policies",
                     "attributes": {"name": name, "enforcement-level": level}} for name, level in POLICIES]
        self.write(f"{base}/organizations/{self.slug}/policies.json", {"data": policies, "links": {"next": None}})
        self.write(f"{base}/organizations/{self.slug}/workspaces.json", {"data": [
            {"id": self.workspace(r)[1], "type": "workspaces", "attributes": {"name": self.workspace(r)[0]}}
            for r in self.registered], "links": {"next": None}})
        self.write(f"{base}/organizations/{self.slug}/policy-sets.json", {"data": [
            {"id": f"polset-{self.d.token('polset', 16)}", "type": "policy-sets",
             "attributes": {"name": "ai-governance", "global": True, "overridable": False},
             "relationships": {"policies": {"data": [{"id": p["id"], "type": "policies"} for p in policies]},
                               "workspace-exclusions": {"data": self.left_out(night)}}}],
            "links": {"next": None}})
        events = []
        for night, role, what in here:
            if what.startswith("override"):
                run = f"run-{self.d.token(f'run/{night}/{role}', 16)}"
                person = people["ben"] if what == "override-told" else people["cho"]
                comment = "Quarter-end load test, agreed with finance in FIN-2291." if what == "override-told" else None
                events.append({"id": self.uid(f"trail/{run}"), "version": "0", "type": "Resource",
                               "timestamp": stamp(self.applied(night, role) - timedelta(minutes=9)),
                               "auth": {"accessor_id": person, "description": f"{person}-name", "type": "Client",
                                        "impersonator_id": None},
                               "request": {"id": self.uid(f"request/{run}")},
                               "resource": {"id": f"polchk-{self.d.token(f'check/{night}/{role}', 16)}",
                                            "type": "policy_check", "action": "overridden",
                                            "meta": {"run": run, "comment": comment}}})
        self.write(f"{base}/organization/audit-trail.json",
                   {"data": events, "pagination": {"current_page": 1, "next_page": None, "total_count": len(events)}})

    def applied(self, night, role):
        return self.looks[night] - timedelta(hours=self.d.number(f"applied/{night}/{role}", 4, 18))

    def tf_run(self, base, night, at, role, what, people):
        run = f"run-{self.d.token(f'run/{night}/{role}', 16)}"
        plan = f"plan-{self.d.token(f'plan/{night}/{role}', 16)}"
        cost = f"ce-{self.d.token(f'cost/{night}/{role}', 16)}"
        check = f"polchk-{self.d.token(f'check/{night}/{role}', 16)}"
        applied = self.applied(night, role)
        author = people["cho"] if what == "override-mute" else people["ada"]
        rel = lambda kind, ident: {"data": {"id": ident, "type": kind}}
        relations = {"workspace": rel("workspaces", self.workspace(role)[1]), "plan": rel("plans", plan),
                     "cost-estimate": rel("cost-estimates", cost), "created-by": rel("users", author)}
        self.write(f"{base}/runs/{run}.json", {"data": {"id": run, "type": "runs", "attributes": {
            "status": "applied", "created-at": stamp(applied - timedelta(minutes=30)), "is-destroy": False,
            "plan-only": False, "source": "tfe-configuration-version", "message": "Apply", "target-addrs": None,
            "status-timestamps": {"applied-at": stamp(applied), "planned-at": stamp(applied - timedelta(minutes=25))}},
            "relationships": relations},
            "included": [{"id": who, "type": "users", "attributes": {"username": name, "is-service-account": False}}
                         for name, who in sorted(people.items())]})
        self.write(f"{base}/plans/{plan}/json-output-redacted.json", self.plan(role, what))
        over = what.startswith("override")
        dollars = self.d.number(f"dollars/{night}/{role}", 8100, 14000) if over else self.d.number(
            f"dollars/{role}", 210, 3900)
        self.write(f"{base}/cost-estimates/{cost}.json", {"data": {"id": cost, "type": "cost-estimates", "attributes": {
            "status": "finished", "proposed-monthly-cost": f"{dollars}.50", "prior-monthly-cost": "0.0",
            "delta-monthly-cost": f"{dollars}.50", "resources-count": 2, "matched-resources-count": 2,
            "unmatched-resources-count": 0}}})
        self.write(f"{base}/runs/{run}/run-events.json", {"data": []})
        self.write(f"{base}/runs/{run}/comments.json", {"data": []})
        failed = {"ai-spending-limits"} if over else set()
        if role == "credit":
            failed.add("model-deployment-rules")
        if role == "generative":
            self.evaluation(base, run, night, role, applied)
        else:
            self.policy_check(base, run, check, failed, over, applied)

    def policy_check(self, base, run, check, failed, over, applied):
        policies = [{"policy": f"ai-governance/{name}", "result": name not in failed, "error": None,
                     "allowed-failure": level != "hard-mandatory"} for name, level in POLICIES]
        stamps = {"queued-at": stamp(applied - timedelta(minutes=20))}
        stamps["overridden-at" if over else "passed-at"] = stamp(applied - timedelta(minutes=9))
        soft = 1 if over else 0
        self.write(f"{base}/runs/{run}/policy-checks.json", {"data": [{"id": check, "type": "policy-checks",
            "attributes": {"status": "overridden" if over else "passed", "scope": "organization",
                "status-timestamps": stamps, "result": {
                    "result": not over, "passed": len(POLICIES) - len(failed), "total-failed": len(failed),
                    "hard-failed": 0, "soft-failed": soft, "advisory-failed": len(failed) - soft, "duration-ms": 41,
                    "sentinel": {"schema-version": 1, "data": {"ai-governance": {"policies": policies}}}}},
            "relationships": {"run": {"data": {"id": run, "type": "runs"}}}}]})

    def evaluation(self, base, run, night, role, applied):
        stage = f"ts-{self.d.token(f'stage/{night}/{role}', 16)}"
        evaluation = f"poleval-{self.d.token(f'eval/{night}/{role}', 16)}"
        self.write(f"{base}/runs/{run}/task-stages.json", {"data": [{"id": stage, "type": "task-stages",
            "attributes": {"status": "passed", "stage": "post_plan"},
            "relationships": {"run": {"data": {"id": run, "type": "runs"}},
                              "policy-evaluations": {"data": [{"id": evaluation, "type": "policy-evaluations"}]}}}]})
        counts = {"advisory-failed": 0, "errored": 0, "mandatory-failed": 0, "passed": 4}
        self.write(f"{base}/task-stages/{stage}/policy-evaluations.json", {"data": [{
            "id": evaluation, "type": "policy-evaluations", "attributes": {"status": "passed", "policy-kind": "sentinel",
            "policy-tool-version": "0.30.0", "result-count": counts,
            "status-timestamps": {"passed-at": stamp(applied - timedelta(minutes=10))}},
            "relationships": {"policy-attachable": {"data": {"id": stage, "type": "task-stages"}}}}]})
        outcomes = [{"enforcement_level": "advisory" if level == "advisory" else "mandatory", "query": "",
                     "status": "passed", "policy_name": name, "description": ""} for name, level in POLICIES]
        self.write(f"{base}/policy-evaluations/{evaluation}/policy-set-outcomes.json", {"data": [{
            "id": f"psout-{self.d.token(f'psout/{night}/{role}', 16)}", "type": "policy-set-outcomes",
            "attributes": {"outcomes": outcomes, "error": "", "overridable": False, "policy-set-name": "ai-governance",
                           "result-count": counts},
            "relationships": {"policy-evaluation": {"data": {"id": evaluation, "type": "policy-evaluations"}}}}]})

    def plan(self, role, what):
        name, team = self.names[role], self.teams[TEAM[role]]
        level = {"disputed": "minimal"}.get(role, LEVEL[role])
        tags = {"Environment": "production", "Project": name, "Owner": f"{team}@{self.domain}", "ML-Team": team,
                "Model-Type": "classifier", "AI-System": name, "AI-Risk-Level": level,
                "Compliance-Review": (self.begin - timedelta(days=30)).strftime("%Y-%m-%d"),
                "MLflow-Run-ID": self.d.hexes(f"mlflow/{role}", 32), "Model-Version": self.version(role, 0)}
        if level == "high":
            tags["Risk-Assessment"] = f"s3://{self.bucket}/documents/{name}-risk.pdf"
        if role == "credit":
            del tags["MLflow-Run-ID"]
        if what == "project-lost":
            del tags["Project"]
        if what == "owner-lost":
            del tags["Owner"]
        volume = {k: v for k, v in tags.items() if k in ("Environment", "Project", "Owner", "ML-Team", "AI-System",
                                                         "AI-Risk-Level", "Compliance-Review")}
        volume["Model-Type"] = "none"
        change = lambda after: {"actions": ["create" if what == "first" else "update"], "before": None, "after": after,
                                "after_unknown": {}}
        return {"format_version": "1.2", "terraform_version": "1.9.8", "planned_values": {}, "resource_changes": [
            {"address": "aws_eks_node_group.serving", "mode": "managed", "type": "aws_eks_node_group", "name": "serving",
             "provider_name": "registry.terraform.io/hashicorp/aws",
             "change": change({"instance_types": ["t3.medium"], "tags": {}, "tags_all": tags})},
            {"address": "aws_ebs_volume.models", "mode": "managed", "type": "aws_ebs_volume", "name": "models",
             "provider_name": "registry.terraform.io/hashicorp/aws",
             "change": change({"encrypted": True, "size": 100, "tags": {}, "tags_all": volume})}]}

    # ------------------------------------------------------------------ register and config

    def register(self):
        day = lambda d: (self.begin + timedelta(days=d)).strftime("%Y-%m-%d")
        last = self.looks[-1]
        toml = ["# The register of the demonstration: what people declare. Names are made up.", "",
                "[organization]",
                'ai_literacy = { measures = "A half-day course, and a page of dos and don\'ts per system.", '
                f'audience = "Everyone who works with a system listed here.", date = {day(-60)}, owner = "Head of people" }}', ""]
        for role in self.registered:
            name, team, level = self.names[role], self.teams[TEAM[role]], LEVEL[role]
            toml += ["[[system]]", f'id = "{name}"', f'description = "{DESCRIPTION[role]}"', f'team = "{team}"',
                     f'owner = "Head of {team}"', 'role = "provider"', f'annex = "{ANNEX.get(role, "none")}"',
                     f"put_into_service = {day(-100 if role == 'generative' else -40)}"]
            if level:
                toml.append(f'risk_level = "{level}"')
            toml.append(f'select = [{{ terraform = {{ workspace = "{self.workspace(role)[0]}" }} }}]')
            if role in ("credit", "vision"):
                toml.append(f'risk_assessment = {{ uri = "s3://{self.bucket}/documents/{name}-risk.pdf", '
                            f'version_id = "{self.d.token(f"risk/{role}", 32)}", '
                            f'sha256 = "{self.d.hexes(f"risk/sha/{role}", 64)}", date = {day(-70)}, '
                            f'approver = "Risk committee" }}')
            if role == "generative":
                toml.append('art50 = [{ paragraph = 1, applies = false, reason = "No conversation with people." },\n'
                            '         { paragraph = 2, applies = true }]')
            else:
                toml.append('art50 = [{ paragraph = 1, applies = false, reason = "Nobody talks to it." },\n'
                            '         { paragraph = 2, applies = false, reason = "It makes no images, sound or text." }]')
            toml.append("")
        toml += ["[[system]]", f'id = "{self.slug}-ml-platform"', 'description = "Experiment tracking for all teams."',
                 "shared = true", 'select = [{ kubernetes = { namespace = "mlflow" } }]', ""]
        for role in self.registered:
            if LEVEL[role]:
                toml += ["[[decision]]", f'system = "{self.names[role]}"', f'level = "{LEVEL[role]}"',
                         f'annex = "{ANNEX.get(role, "none")}"', 'role = "provider"', 'approver = "AI governance board"',
                         f"date = {day(-60)}", f'reason = "{REASON[role]}"', f"review_by = {day(300)}", ""]
        expires = (last + timedelta(days=8)).strftime("%Y-%m-%d")
        self.expires = expires
        toml += ["[[exception]]", 'control = "model-deployment-rules"', f'system = "{self.names["credit"]}"',
                 f'owner = "Head of {self.teams[1]}"', 'requester = "Ada Example"', 'approver = "Ben Example"',
                 'reason = "The model predates MLflow; it is retrained there this quarter."', f"expires = {expires}", ""]
        self.write("systems.toml", "\n".join(toml))

    def config(self):
        sources = "".join(f'\n[[gatekeeper]]\nname = "{name}"\nlocation = "file:looks/{name}"\n'
                          for name in self.clusters.values())
        self.write("actledger.toml", f"""# The demonstration: thirty nights of four sources, read from files in this folder.
# cargo run --release -- --config deploy/demo/actledger.toml serve
organization = "{self.org}"
timezone = "Europe/Berlin"
register = "systems.toml"
reports_dir = "var/reports"

[ledger]
path = "var/ledger.db"
origin = "actledger.{self.domain}/demonstration"

[schedule]
ingest = "0 5 * * *"
report = "30 5 * * *"

[[flow_logs]]
name = "vpc-ml"
location = "file:looks/flow-logs"
{sources}
[[sentinel]]
name = "hcp-{self.slug}"
location = "file:looks/terraform"
organization = "{self.slug}"

[[model_artifacts]]
name = "ml-models"
location = "file:looks/artifacts"

[network]
own = ["10.{self.block}.0.0/16"]

[[mail]]
to = ["ai-compliance@{self.domain}"]
attach = ["pdf"]

[smtp]
url = "folder:var/mail"
from = "Actledger <actledger@{self.domain}>"

# Fixed clock, key and salts: every page, mail and bundle says "demonstration".
[demo]
seed = {self.seed}
""")

    # ------------------------------------------------------------------ what a report must show

    def facts(self):
        n = self.names
        fact = lambda what, control, role, status, **more: {
            "fact": what, "control": control, "system": n.get(role, role), "status": status, **more}
        stray = f"discovered:kubernetes:{self.clusters['prod']}/ml-lab:{n['stray']}"
        self.write("expected.json", {"seed": self.seed, "violations": self.violations, "expires": self.expires,
            "orderly": n["orderly"], "discovered": stray, "facts": [
            fact("no risk assessment", "risk-assessment-before-deployment", "recruiting", "not-satisfied"),
            fact("exception soon to expire", "model-deployment-rules", "credit", "not-satisfied", excepted=True),
            fact("levels differ", "risk-level-consistent", "disputed", "not-satisfied"),
            fact("unapproved registry", "model-registry-approved", "vision", "not-satisfied"),
            fact("no stored artifact", "deployed-version-has-artifact", "unstored", "not-satisfied"),
            fact("artifact deleted", "artifact-deleted-while-deployed", "erased", "not-satisfied"),
            fact("other bytes behind a version", "artifact-unchanged-while-deployed", "recruiting", "not-satisfied"),
            fact("bytes of the first day", "artifact-unchanged-while-deployed", "credit", "satisfied"),
            fact("rule that hides what runs", "artifact-kept-while-deployed", "vision", "not-satisfied"),
            fact("one model in two systems", "artifact-of-one-system", "generative", "not-satisfied"),
            fact("reference leads to the files", "artifact-of-one-system", "orderly", "satisfied"),
            fact("no record for Art. 50", "transparency-notice-recorded", "generative", "not-satisfied"),
            fact("override with a reason", "override-accountable", "credit", "satisfied"),
            fact("override without a reason", "override-accountable", "vision", "not-satisfied"),
            fact("accepted override", "spend-limit", "credit", "not-satisfied", excepted=True),
            fact("open override", "spend-limit", "vision", "not-satisfied", excepted=False),
            fact("port from the internet", "ml-port-segmentation", "vision", "not-satisfied", units=2),
            fact("webhook fails open", "webhook-fails-closed", "vision", "not-satisfied"),
            fact("exempt namespace", "constraint-enforced", "unstored", "not-satisfied"),
            fact("exemption not written down", "exemptions-written-down", "unstored", "not-satisfied"),
            fact("deployed past the gate", "admission-bypass", stray, "not-satisfied"),
            fact("gate evaluated anew", "gate-reperformed", "vision", "satisfied"),
            fact("policy passes what it must fail", "gate-reperformed", "erased", "not-satisfied"),
            fact("spending policy without an estimate", "gate-not-vacuous", "generative", "not-satisfied"),
            fact("gates passed", "hard-mandatory-not-bypassed", "vision", "satisfied"),
            fact("gate weakened without a decision", "policy-weakened-with-review", "disputed", "not-satisfied"),
            fact("workspace left out", "exemptions-written-down", "disputed", "not-satisfied"),
            fact("hour missing", "flow-logs-audit-trail", "orderly", "not-assessed", reason="source-gap"),
            fact("records lost", "flow-logs-audit-trail", "unstored", "not-assessed", reason="records-lost"),
            fact("tag mended", "ai-resource-tags", "generative", "satisfied", lifecycle="resolved"),
            fact("tag came back missing", "ai-resource-tags", "erased", "not-satisfied", lifecycle="reopened"),
        ]})


DESCRIPTION = {
    "orderly": "Sorts incoming messages by mood.", "recruiting": "Ranks applications before a recruiter reads them.",
    "credit": "Proposes a credit limit to a clerk.", "disputed": "Forecasts which customers will leave.",
    "vision": "Counts and categorises people in front of the cameras.", "unstored": "Forecasts demand per article.",
    "erased": "Puts keywords to product photos.", "generative": "Makes pictures for advertisements."}
REASON = {
    "orderly": "No use of Annex III, no direct talk with people.", "recruiting": "Annex III point 4(a): recruitment.",
    "credit": "Annex III point 5(b): creditworthiness.", "vision": "Annex III point 1: biometric categorisation.",
    "unstored": "Stock planning only.", "erased": "Keywords for goods only.",
    "generative": "Makes synthetic images, Art. 50(2)."}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    Estate(options.seed, options.out).run()
