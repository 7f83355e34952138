//! Dying, and being lied to, at the n-th write, sync or rename; and a disk that is full. From outside the program, by a
//! library that is loaded in front of libc.

use crate::support::{World, copy_of, project, sqlite, stderr, stdout, until};
use actledger::evidence::{Kind, json};
use actledger::ledger::private::comparable;
use actledger::store::Reader;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The library, built once.
fn faults() -> &'static Path {
    static BUILT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faults.so");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&path)
            .arg(project().join("tests/support/faults.c"))
            .arg("-ldl");
        let done = cc.output().unwrap();
        assert!(done.status.success(), "{}", stderr(&done));
        (folder, path)
    });
    path
}

/// Runs a command of the program with the library in front of libc.
pub(crate) fn run(world: &World, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let folder = format!("{}/", world.dir.path().canonicalize().unwrap().display());
    let mut all = vec![("LD_PRELOAD", faults().to_str().unwrap()), ("FAULT_DIR", &folder)];
    all.extend(settings);
    world.run_with(&all, arguments)
}

/// All evidence of sources, private values as their references; own entries and the places of all are left out.
pub(crate) fn evidence(world: &World) -> BTreeSet<String> {
    let reader = Reader::open(&world.ledger()).unwrap();
    let mut all = BTreeSet::new();
    let add = |p: actledger::ledger::entry::Placed| {
        if p.entry.source != "actledger" && p.entry.kind != Kind::SourceRun {
            let e = reader.with_blobs(p.entry)?;
            let text = format!(
                "{} {} {} {} {}",
                e.kind.name(),
                e.source,
                e.key,
                e.occurred_at,
                json(&comparable(&e.payload, &[0; 32]))
            );
            assert!(all.insert(text.clone()), "there twice: {text}");
        }
        Ok(())
    };
    reader.each(0, reader.size().unwrap(), add).unwrap();
    all
}

fn findings(world: &World) -> String {
    sqlite(&world.path("var/state.db"), "SELECT finding, unit, number, status FROM finding ORDER BY 1, 2")
}

/// A command in front of which the world stands, what it changes operation by operation, and what it leads to.
struct Scene {
    arguments: &'static [&'static str],
    before: World,
    steps: Vec<String>,
    evidence: BTreeSet<String>,
    findings: String,
}

impl Scene {
    fn of(arguments: &'static [&'static str], before: World) -> (Scene, World) {
        let after = copy_of(&before);
        let log = after.dir.path().with_extension("log");
        let done = run(&after, arguments, &[("FAULT_LOG", log.to_str().unwrap())]);
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {}{}", stdout(&done), stderr(&done));
        let steps = std::fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect();
        std::fs::remove_file(&log).unwrap();
        let (evidence, findings) = (evidence(&after), findings(&after));
        (Scene { arguments, before, steps, evidence, findings }, after)
    }

    /// Dies or errs at one operation, and recovers by the same command.
    fn disturbed(&self, at: usize, mode: &str) {
        let world = copy_of(&self.before);
        let step = format!("{:?}, {mode} at operation {at}: {}", self.arguments, self.steps[at - 1]);
        let done = run(&world, self.arguments, &[("FAULT_AT", &at.to_string()), ("FAULT_MODE", mode)]);
        if ["kill", "torn"].contains(&mode) {
            assert_eq!(done.status.code(), None, "{step}: it was not killed\n{}", stdout(&done));
        }
        if world.ledger().exists() && Reader::open(&world.ledger()).is_ok_and(|r| r.size().unwrap() > 0) {
            let verified = world.run(&["verify"]);
            assert_eq!(verified.status.code(), Some(0), "{step}\n{}{}", stdout(&verified), stderr(&verified));
        }
        let again = world.run(self.arguments);
        assert_eq!(again.status.code(), Some(0), "{step}\n{}{}", stdout(&again), stderr(&again));
        assert!(!stdout(&again).contains("changed by somebody else"), "{step}\n{}", stdout(&again));
        let verified = world.run(&["verify"]);
        assert_eq!(verified.status.code(), Some(0), "{step}\n{}", stdout(&verified));
        assert!(evidence(&world) == self.evidence, "{step}: evidence was lost or doubled");
        assert_eq!(findings(&world), self.findings, "{step}");
        if world.path("b.zip").exists() {
            assert_eq!(world.run(&["verify", "--bundle", "b.zip"]).status.code(), Some(0), "{step}");
        }
    }
}

/// `ACTLEDGER_CRASHES` deaths, 20 unless told, and half as many lies: every step of every command in turn.
#[test]
fn whatever_happens_at_whatever_step_nothing_is_lost_and_nothing_doubled() {
    let wanted: usize = std::env::var("ACTLEDGER_CRASHES").map_or(20, |n| n.parse().unwrap());
    let (ingest, world) = Scene::of(&["ingest"], World::short_demo());
    let (assess, world) = Scene::of(&["assess"], world);
    let (export, _) = Scene::of(&["export", "--out", "b.zip"], world);
    let scenes = [ingest, assess, export];
    let mut places: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
    for (i, scene) in scenes.iter().enumerate() {
        for (at, step) in scene.steps.iter().enumerate() {
            places.entry((i, step)).or_default().push(at + 1);
        }
    }
    let mut plan = turns(&places, ["kill", "torn"], wanted);
    plan.extend(turns(&places, ["fail", "persist"], wanted / 2));
    let mut histogram: BTreeMap<(String, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (plan, scenes) = (&plan, &scenes);
            scope.spawn(move || {
                for (scene, _, at, mode) in plan.iter().skip(half).step_by(2) {
                    scenes[*scene].disturbed(*at, mode);
                }
            });
        }
    });
    for (scene, step, _, mode) in &plan {
        let name = (scenes[*scene].arguments[0].to_owned(), *step);
        *histogram.entry(name).or_default().entry(mode).or_default() += 1;
    }
    println!("{} disturbances:", plan.len());
    for ((command, step), counts) in histogram {
        let counts: Vec<String> = counts.iter().map(|(m, n)| format!("{m} {n}")).collect();
        println!("  {command:<8} {step:<28} {}", counts.join(", "));
    }
}

type Turn<'a> = (usize, &'a str, usize, &'static str);

/// Steps in turn, and in each step places far from each other; the same ones in every run. Fewer than there are steps
/// are spread over them; of more, each step gets ten at least.
fn turns<'a>(
    places: &BTreeMap<(usize, &'a str), Vec<usize>>,
    modes: [&'static str; 2],
    wanted: usize,
) -> Vec<Turn<'a>> {
    let rounds = if wanted < places.len() { 1 } else { wanted.div_ceil(places.len()).max(10) };
    let mut plan = Vec::new();
    for round in 0..rounds {
        for (n, ((scene, step), at)) in places.iter().enumerate() {
            plan.push((
                *scene,
                *step,
                at[(round * 7919 + n * 104_729) % at.len()],
                modes[(round + n / 2) % 2],
            ));
        }
    }
    let stride = if rounds == 1 { plan.len() / wanted.max(1) } else { 1 };
    plan.into_iter().step_by(stride.max(1)).collect()
}

#[test]
fn a_full_disk_is_said_and_leaves_no_half_entry() {
    let world = World::short_demo();
    let flag = world.dir.path().with_extension("full");
    let settings = [("FAULT_FULL", flag.to_str().unwrap())];
    assert_eq!(run(&world, &["ingest"], &settings).status.code(), Some(0));
    let before = sqlite(&world.ledger(), "SELECT count(*) FROM entry");
    std::fs::write(&flag, "").unwrap();
    let done = run(&world, &["assess"], &settings);
    assert_eq!(done.status.code(), Some(1));
    assert!(stderr(&done).contains("disk is full"), "{}", stderr(&done));
    assert_eq!(sqlite(&world.ledger(), "SELECT count(*) FROM entry"), before);
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
    std::fs::remove_file(&flag).unwrap();
    assert_eq!(run(&world, &["assess"], &settings).status.code(), Some(0), "it goes on when space is back");
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}

/// Part of `make soak`: it needs the right to mount.
#[test]
#[ignore = "mounts a small tmpfs in a name space of its own"]
fn a_disk_of_half_a_megabyte_is_full_and_grows() {
    let world = World::short_demo();
    std::fs::create_dir_all(world.path("var")).unwrap();
    std::fs::create_dir_all(world.path("kept")).unwrap();
    let script = r#"
        mount -t tmpfs -o size=512k tmpfs var || exit 9
        "$0" --config "$1" ingest 2> full.log; echo "full $?"
        "$0" --config "$1" verify > /dev/null; echo "verify $?"
        mount -o remount,size=64m var || exit 9
        "$0" --config "$1" ingest; echo "space $?"
        "$0" --config "$1" verify > /dev/null; echo "verify $?"
        cp -r var/. kept/"#;
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_actledger")]).arg(world.config());
    let done = command.current_dir(world.dir.path()).output().unwrap();
    let said = stdout(&done);
    let log = std::fs::read_to_string(world.path("full.log")).unwrap();
    assert!(said.contains("full 1") && log.contains("disk is full"), "{said}{log}{}", stderr(&done));
    assert!(said.contains("space 0") && said.matches("verify 0").count() == 2, "{said}");
    std::fs::remove_dir_all(world.path("var")).unwrap();
    std::fs::rename(world.path("kept"), world.path("var")).unwrap();
    let whole = World::short_demo();
    assert_eq!(whole.run(&["ingest"]).status.code(), Some(0));
    assert_eq!(evidence(&world), evidence(&whole));
}

/// Seconds in which a daemon, which looks for work once a minute, has done it.
const DAEMON: u64 = 150;

#[test]
fn the_daemon_carries_on_when_space_is_back() {
    let world = World::init("");
    let text = std::fs::read_to_string(world.config()).unwrap();
    let text = text.replace("*/15 * * * *", "* * * * *").replace("127.0.0.1:8080", "127.0.0.1:0");
    std::fs::write(world.config(), text).unwrap();
    let flag = world.dir.path().with_extension("full");
    let log = world.path("daemon.log");
    let folder = format!("{}/var/", world.dir.path().canonicalize().unwrap().display());
    let mut daemon = crate::support::actledger(&world.config())
        .arg("serve")
        .env("LD_PRELOAD", faults())
        .env("FAULT_DIR", folder)
        .env("FAULT_FULL", &flag)
        .stderr(std::fs::File::create(&log).unwrap())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let entries = || sqlite(&world.ledger(), "SELECT count(*) FROM entry").trim().parse::<u64>().unwrap();
    let register = |text: &str| std::fs::write(world.path("systems.toml"), text).unwrap();
    until("the first report", DAEMON, || world.ledger().exists() && entries() > 5);
    std::fs::write(&flag, "").unwrap();
    register("[[system]]\nid = \"credit\"\nteam = \"lending\"\n");
    until("the error", DAEMON, || std::fs::read_to_string(&log).unwrap().contains("disk is full"));
    let held = entries();
    assert!(daemon.try_wait().unwrap().is_none(), "the daemon died");
    std::fs::remove_file(&flag).unwrap();
    until("new entries", DAEMON, || entries() > held);
    let system = "SELECT count(*) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%\"kind\":\"register.system\"%'";
    until("the system", DAEMON, || sqlite(&world.ledger(), system).trim() == "1");
    let _ = Command::new("kill").arg(daemon.id().to_string()).status();
    assert!(daemon.wait().unwrap().success());
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}
