//! From an empty account to the first nightly mail, as docs/operations.md walks it: what Terraform prints for the config, a cluster, an
//! organization, a mail server, `check` with its stubs for the register, and one start of the service. All of it on loopback.

use crate::delivery::Aws;
use crate::pages::Served;
use crate::platform::{printed, strings, terraform};
use crate::support::kube_api::kubeconfig;
use crate::support::tfe_api::{AUDIT_TOKEN, TOKEN};
use crate::support::{AWS, Server, World, files, stdout, until};
use crate::{cluster, organization};
use actledger::clock::Clock;
use serde_json::Value;
use std::collections::BTreeSet;

/// What the module storage makes, with a model and with flow logs as the module network has them delivered: Parquet of its format.
fn filled(aws: &Aws) {
    let texts: BTreeSet<String> = terraform("modules/network").iter().flat_map(strings).collect();
    let format = texts.iter().find(|t| t.contains("${log-status}") && !t.contains('\n')).unwrap();
    let fields = format.replace("${", "").replace('}', "");
    let now = Clock::System.now().seconds();
    aws.boto(&format!(
        r#"
import datetime, duckdb, os, tempfile
place = {{'LocationConstraint': 'eu-central-1'}}
for name, lock in (('ml-artifacts', False), ('ml-flow-logs', False), ('ml-evidence', True)):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=lock)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={{'Status': 'Enabled'}})
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={{'Rules': [
        {{'ApplyServerSideEncryptionByDefault': {{'SSEAlgorithm': 'aws:kms', 'KMSMasterKeyID': 'k'}}}}]}})
s3.put_object(Bucket='ml-artifacts', Key='credit-scoring/3.2.0/model.onnx', Body=b'weights')
begin = {now} - 5400
said = {{'version': 5, 'account_id': '111122223333', 'interface_id': 'eni-1', 'srcaddr': '10.0.1.7', 'dstaddr': '198.51.100.9', 'srcport': 40000,
    'dstport': 443, 'protocol': 6, 'packets': 10, 'bytes': 8400, 'start': begin, 'end': begin + 59, 'action': 'ACCEPT', 'log_status': 'OK',
    'vpc_id': 'vpc-1', 'tcp_flags': 3, 'pkt_srcaddr': '10.0.1.7', 'pkt_dstaddr': '198.51.100.9', 'flow_direction': 'egress'}}
fields = [f.replace('-', '_') for f in '{fields}'.split()]
file = os.path.join(tempfile.mkdtemp(), 'a.parquet')
duckdb.execute(f"COPY (SELECT {{', '.join(f'{{said[f]!r}} AS {{f}}' for f in fields)}} FROM range(5)) TO '{{file}}' (FORMAT parquet, COMPRESSION gzip)")
at = datetime.datetime.fromtimestamp(begin, datetime.timezone.utc)
s3.put_object(Bucket='ml-flow-logs', Body=open(file, 'rb').read(), Key=f'AWSLogs/111122223333/vpcflowlogs/eu-central-1/{{at:%Y/%m/%d}}/'
    f'111122223333_vpcflowlogs_eu-central-1_fl-1_{{at:%Y%m%dT%H%M}}Z_0a.log.parquet')
"#
    ));
}

/// The config as `init` writes it, with what the manual says of each source, and a report each minute.
fn config(world: &World, aws: &Aws, organization: &str) -> String {
    let text = std::fs::read_to_string(world.config()).unwrap();
    let of_platform = printed(|what| match what {
        "module.storage.flow_logs.name" => "ml-flow-logs".into(),
        "module.storage.artifacts.name" => "ml-artifacts".into(),
        "module.storage.evidence.name" => "ml-evidence".into(),
        "var.region" => "eu-central-1".into(),
        "module.network.cidr" => "10.0.0.0/16".into(),
        what => panic!("{what} is printed"),
    });
    let here = format!("region = \"eu-central-1\"\nendpoint = \"http://127.0.0.1:{}\"", aws.server.port);
    let of_platform = of_platform.replace("region = \"eu-central-1\"", &here);
    let text = text.replace("own = [\"10.0.0.0/8\"]", "own = [\"10.0.0.0/16\"]");
    let text = text.replace("127.0.0.1:8080", "127.0.0.1:0").replace("30 5 * * *", "* * * * *");
    format!(
        r#"{text}
{of_platform}
[[gatekeeper]]
name = "ml-platform"
location = "kube:test"
kubeconfig = "kubeconfig"
flow_logs = "vpc"
[[sentinel]]
name = "hcp"
location = "{organization}"
organization = "o"
token_file = "token"
audit_token_file = "audit"
"#
    )
}

#[test]
fn the_platform_is_read_registered_and_reported_by_mail() {
    let aws = Aws::start();
    filled(&aws);
    let (api, runs) = (cluster::server(), organization::estate());
    let world = World { dir: tempfile::tempdir().unwrap() };
    assert!(world.run(&["init", "--origin", "ledger.example.org/main"]).status.success());
    kubeconfig(&api.url, &world.path("kubeconfig"));
    std::fs::write(world.path("token"), TOKEN).unwrap();
    std::fs::write(world.path("audit"), AUDIT_TOKEN).unwrap();
    std::fs::write(world.config(), config(&world, &aws, &runs.url)).unwrap();
    let check = || stdout(&world.run_with(&AWS, &["check"]));
    let said = check();
    for what in ["ledger.example.org/main", "vpc", "models", "ml-platform", "hcp"] {
        assert!(said.lines().any(|l| l.contains(what) && l.contains(" ok ")), "{what}: {said}");
    }
    assert!(!said.contains("[[system]]"), "nothing was judged yet: {said}");
    // A first start without mail.
    let served = Served::within(&world, &AWS);
    until("a report", 120, || {
        std::fs::read_dir(world.path("var/reports")).is_ok_and(|mut all| all.next().is_some())
    });
    drop(served);
    let said = check();
    let (_, stubs) = said.split_once("add to the register:").unwrap();
    let (stubs, _) = stubs.split_once("\nnext runs").unwrap();
    let stubs = stubs
        .replace("team = \"\"", "team = \"ml\"")
        .replace("risk_level = \"\"", "risk_level = \"limited\"");
    std::fs::write(world.path("systems.toml"), stubs.replace("role = \"\"", "role = \"deployer\"")).unwrap();
    // And with it.
    let smtp = Server::start("smtp_server.py", world.dir.path());
    let text = std::fs::read_to_string(world.config()).unwrap();
    let mail = format!(
        "[[mail]]\nto = [\"ai-compliance@example.com\"]\n[smtp]\nurl = \"smtp://localhost:{}\"\nca_file = \"ca.pem\"\nfrom = \"Actledger <actledger@example.com>\"\n",
        smtp.port
    );
    std::fs::write(world.config(), format!("{text}{mail}")).unwrap();
    let served = Served::within(&world, &AWS);
    let mail = world.path("received-0.eml");
    until("a mail", 120, || mail.exists());
    drop(served);
    let told = std::fs::read_to_string(&mail).unwrap().replace("\r\n", "\n").replace("=\n", "");
    assert!(told.contains("AI systems: 20 limited") && !told.contains("not registered"), "{told}");
    assert!(told.contains("RECORD intact") && told.contains("\nledger.example.org/main\n"), "{told}");
    // Whoever writes an annotation of any length does not fill reports with it.
    let report = files(&world.path("var/reports"), "json").into_iter().find(|f| f.ends_with("report.json"));
    let report: Value = serde_json::from_slice(&std::fs::read(report.unwrap()).unwrap()).unwrap();
    let said = strings(&report);
    let of_long = said.iter().filter(|s| s.contains("refers to https://registry.example.net/aaa"));
    let lengths: Vec<usize> = of_long.map(String::len).collect();
    assert!(!lengths.is_empty() && lengths.iter().all(|l| *l < 500), "{lengths:?}");
    // Each source is in the record, and so is the copy in the locked bucket.
    for kind in ["flow_log.object", "artifact.version", "kubernetes.workload", "sentinel.run", "anchor.made"]
    {
        assert!(!cluster::entries(&world, kind).is_empty(), "{kind}");
    }
    let kept = aws.boto("print([o['Key'] for o in s3.list_objects_v2(Bucket='ml-evidence', Prefix='actledger/')['Contents']])");
    assert!(kept.contains("actledger/checkpoints/"), "{kept}");
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}
