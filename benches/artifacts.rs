//! A bucket of a million versions on a real socket: the first pass, one without changes, and one with a thousand versions more. boto3
//! lists the same bucket beside it.
//!
//!     cargo bench --bench artifacts               ACTLEDGER_BENCH_VERSIONS=1000000
#![expect(clippy::print_stdout, reason = "the table is what this is for")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on says so by panicking")]
#![allow(dead_code, clippy::allow_attributes, reason = "the server serves the tests as well")]

mod measure;
mod passes;
#[path = "../tests/support/s3_versions.rs"]
mod s3_versions;

use measure::measured;
use nix::sys::resource::UsageWho;
use passes::{AWS, row};
use s3_versions::S3Versions;
use std::process::Command;

/// Lists a bucket as scripts do, and keeps nothing.
const BOTO: &str = "import boto3, sys\n\
    s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='eu-central-1')\n\
    pages = s3.get_paginator('list_object_versions').paginate(Bucket='models', Prefix='models/')\n\
    print(sum(len(p.get('Versions', [])) for p in pages))";

fn main() {
    if passes::made("no gap at all") {
        return;
    }
    let versions = std::env::var("ACTLEDGER_BENCH_VERSIONS").map_or(1_000_000, |n| n.parse().unwrap());
    println!("{versions} versions\n");
    println!("| | CPU s | wall s | MiB | entries | goal |\n| --- | --- | --- | --- | --- | --- |");
    let server = S3Versions::start(versions);
    let dir = passes::estate(&format!(
        "[schedule]\npass_minutes = 600\n[[model_artifacts]]\nname = 'models'\nlocation = 's3://models/models'\nregion = 'eu-central-1'\nendpoint = '{}'\n",
        server.url
    ));
    row("first pass", dir.path(), "60 s of one core, 200 MiB");
    let (listed, asked) = server.asked();
    row("pass without changes", dir.path(), "0 entries beside the run");
    server.asked();
    server.hold(versions + 1_000);
    row("pass with 1,000 versions more", dir.path(), "");
    let mut counted = String::new();
    let boto = measured(UsageWho::RUSAGE_CHILDREN, || {
        let done = Command::new("python3").args(["-c", BOTO, &server.url]).envs(AWS).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        counted = String::from_utf8(done.stdout).unwrap();
    });
    println!(
        "| boto3 lists {} versions, keeps nothing | {:.1} | {:.1} | | | |",
        counted.trim(),
        boto.cpu,
        boto.wall
    );
    println!(
        "\nfirst pass: {listed} lists of versions, the fewest {}; {asked} other requests",
        versions.div_ceil(1_000)
    );
}
