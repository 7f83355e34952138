//! Worlds for tests: the demo estate in a folder of its own, lived through; processes; bytes changed by hand.

pub(crate) mod asked;
pub(crate) mod kube_api;
pub(crate) mod s3_versions;
pub(crate) mod stories;
pub(crate) mod tfe_api;
pub(crate) mod tls;

use actledger::assessment::{Assessment, Facts};
use actledger::config::Config;
use actledger::daemon;
use actledger::evidence::Time;
use actledger::evidence::record::AssessmentRun;
use actledger::jobs::{self, Desk};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The folder of tools that `make test` sets up.
pub(crate) fn tools() -> PathBuf {
    let python = stdout(&Command::new("which").arg("python").output().unwrap());
    Path::new(python.trim()).ancestors().nth(2).unwrap().to_owned()
}

/// The modules of npm that `make test` puts beside the packages of Python.
pub(crate) fn node_modules() -> PathBuf {
    tools().join("node/node_modules")
}

/// The project's own folder.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program under test.
pub(crate) fn actledger(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_actledger"));
    command.arg("--config").arg(config).env("RUST_LOG", "warn");
    command
}

/// Text on stdout.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Text on stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with a config, its looks and its state.
pub(crate) struct World {
    /// Holds the folder while the world lives.
    pub(crate) dir: TempDir,
}

impl World {
    /// A copy of the demo estate without any state.
    pub(crate) fn demo() -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        let demo = project().join("deploy/demo");
        for file in ["actledger.toml", "systems.toml", "expected.json"] {
            std::fs::copy(demo.join(file), world.path(file)).unwrap();
        }
        std::os::unix::fs::symlink(demo.join("looks"), world.path("looks")).unwrap();
        world
    }

    /// The demo with the first four looks of each source only.
    pub(crate) fn short_demo() -> World {
        let world = World::demo();
        std::fs::remove_file(world.path("looks")).unwrap();
        for source in
            std::fs::read_dir(project().join("deploy/demo/looks")).unwrap().map(|f| f.unwrap().path())
        {
            let here = world.path("looks").join(source.file_name().unwrap());
            std::fs::create_dir_all(&here).unwrap();
            let mut looks: Vec<_> = std::fs::read_dir(&source).unwrap().map(|f| f.unwrap().path()).collect();
            looks.sort();
            for look in looks.iter().take(4) {
                std::os::unix::fs::symlink(look, here.join(look.file_name().unwrap())).unwrap();
            }
        }
        world
    }

    /// The estate that the generator writes for another seed.
    pub(crate) fn seeded(seed: u64) -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        let generator = project().join("deploy/demo/estate.py");
        let done = Command::new("python3")
            .arg(generator)
            .args(["--seed", &seed.to_string(), "--out"])
            .arg(world.dir.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", stderr(&done));
        world
    }

    /// An empty folder with this config.
    pub(crate) fn with_config(text: &str) -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        std::fs::write(world.path("actledger.toml"), text).unwrap();
        world
    }

    /// A path below the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The config file.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("actledger.toml")
    }

    /// The ledger.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.path("var/ledger.db")
    }

    /// Everything that jobs need.
    pub(crate) fn desk(&self) -> Desk {
        let text = std::fs::read_to_string(self.config()).unwrap();
        Desk::lay(Config::parse(&text, "actledger.toml", self.dir.path()).unwrap()).unwrap()
    }

    /// What the generator planted.
    pub(crate) fn expected(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("expected.json")).unwrap()).unwrap()
    }

    /// Ingests and assesses night by night, without making reports.
    pub(crate) fn live_quietly(&self) -> Desk {
        let desk = self.desk();
        for night in jobs::demo_nights(&desk.config).unwrap() {
            desk.clock.set(night);
            let mut store = desk.store().unwrap();
            jobs::ingest(&desk, &mut store, &[], &|_, _, _| {}).unwrap();
            jobs::assess(&desk, &mut store, true).unwrap();
        }
        desk
    }

    /// Runs the program with this config.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        actledger(&self.config()).args(arguments).current_dir(self.dir.path()).output().unwrap()
    }

    /// The same with more environment.
    pub(crate) fn run_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = actledger(&self.config());
        command.envs(environment.iter().copied()).args(arguments).current_dir(self.dir.path());
        command.output().unwrap()
    }

    /// An estate with the real clock and a key of its own: what `actledger init` writes, and more config after it.
    pub(crate) fn init(more: &str) -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        assert!(world.run(&["init"]).status.success());
        let text = std::fs::read_to_string(world.config()).unwrap();
        std::fs::write(world.config(), format!("{text}\n{more}\n")).unwrap();
        world
    }

    /// Runs SQL on a file of this world with the sqlite3 shell, triggers taken out of the way.
    pub(crate) fn sql(&self, file: &str, statements: &str) {
        let path = self.path(file);
        let triggers = "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_master WHERE type = 'trigger'";
        let drops = sqlite(&path, triggers);
        sqlite(&path, &format!("{drops}\n{statements}\nPRAGMA wal_checkpoint(TRUNCATE);"));
    }
}

/// What verify.py, our copy of it that no bundle can change, says of a folder or a ZIP.
pub(crate) fn verify_py(place: &Path, more: &[&str]) -> Output {
    let script = project().join("src/export/bundle/verify.py");
    Command::new("python3").arg(script).arg(place).args(more).output().unwrap()
}

/// A server in a process of its own, which prints its port.
pub(crate) struct Server {
    process: Child,
    /// Where it listens on loopback.
    pub(crate) port: u16,
}

impl Server {
    /// Starts a script of this folder with the tests' Python.
    pub(crate) fn start(script: &str, folder: &Path) -> Server {
        let mut process = Command::new("python3")
            .arg(project().join("tests/support").join(script))
            .arg(folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("{script} said {line:?}"));
        Server { process, port }
    }
}

impl Drop for Server {
    /// Asks it to end: what it started ends with it.
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// What the sqlite3 shell prints; it waits for a lock that a daemon holds for a moment.
pub(crate) fn sqlite(path: &Path, statements: &str) -> String {
    let done = Command::new("sqlite3")
        .args(["-cmd", ".timeout 10000"])
        .arg(path)
        .arg(statements)
        .output()
        .expect("sqlite3 is installed by make test");
    assert!(done.status.success(), "{statements}: {}", stderr(&done));
    stdout(&done)
}

/// The demo, lived through once for all tests. Tests that write take a copy.
pub(crate) fn lived() -> &'static World {
    static LIVED: OnceLock<World> = OnceLock::new();
    static ONCE: Mutex<()> = Mutex::new(());
    let _guard = ONCE.lock();
    LIVED.get_or_init(|| {
        let world = World::demo();
        let desk = world.desk();
        daemon::live_through(&desk, &|_, _, _| {}).unwrap();
        world
    })
}

/// A copy of the lived demo that may be changed.
pub(crate) fn lived_copy() -> World {
    let world = World::demo();
    copy_folder(&lived().path("var"), &world.path("var"));
    world
}

/// A copy of a world: everything in its folder.
pub(crate) fn copy_of(world: &World) -> World {
    let copy = World { dir: tempfile::tempdir().unwrap() };
    copy_folder(world.dir.path(), copy.dir.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        if item.path().is_dir() {
            copy_folder(&item.path(), &to.join(item.file_name()));
        } else {
            let copied = std::fs::copy(item.path(), to.join(item.file_name()));
            // SQLite takes away an empty log when the last reader goes, while it is copied here.
            let name = item.file_name().to_string_lossy().into_owned();
            let is_log = name.ends_with("-wal") || name.ends_with("-shm");
            assert!(copied.is_ok() || is_log, "{name}: {copied:?}");
        }
    }
}

/// Checks that every planted fact stands in a report as what it is.
pub(crate) fn assert_facts(report: &Value, expected: &Value) {
    for fact in expected["facts"].as_array().unwrap() {
        let system = report["systems"].as_array().unwrap().iter().find(|s| s["id"] == fact["system"]);
        let system = system.unwrap_or_else(|| panic!("no system for {fact}"));
        let finding = system["findings"].as_array().unwrap().iter().find(|f| f["control"] == fact["control"]);
        let finding = finding.unwrap_or_else(|| panic!("no finding for {fact}"));
        assert_eq!(finding["status"], fact["status"], "{fact}: {}", finding["summary"]);
        let units = finding["units"].as_array().unwrap();
        if let Some(excepted) = fact["excepted"].as_bool() {
            assert_eq!(finding["excepted"], excepted, "{fact}");
        }
        if let Some(lifecycle) = fact["lifecycle"].as_str() {
            assert!(units.iter().any(|u| u["lifecycle"] == lifecycle), "{fact}: {units:?}");
        }
        if let Some(reason) = fact["reason"].as_str() {
            assert!(units.iter().any(|u| u["reason"] == reason), "{fact}");
        }
        if let Some(n) = fact["units"].as_u64() {
            assert_eq!(finding["counts"]["not_satisfied"], n, "{fact}");
        }
        assert!(
            units.iter().any(|u| !u["evidence"].as_array().unwrap().is_empty()),
            "{fact} points at no evidence"
        );
    }
    let ids: Vec<&str> =
        report["systems"].as_array().unwrap().iter().filter_map(|s| s["id"].as_str()).collect();
    assert!(ids.contains(&expected["discovered"].as_str().unwrap()), "{ids:?}");
    let truncated = format!("lists 20 of {} violations", expected["violations"]);
    assert!(report["not_seen"].to_string().contains(&truncated), "{}", report["not_seen"]);
    let orderly =
        report["systems"].as_array().unwrap().iter().find(|s| s["id"] == expected["orderly"]).unwrap();
    assert_eq!(orderly["counts"]["not_satisfied"], 0, "the orderly system is not in order");
}

/// The environment in which the SDK finds credentials and looks nowhere else.
pub(crate) const AWS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_CONFIG_FILE", "/nonexistent"),
];

/// Files with an ending, below a folder.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()) {
        match path.is_dir() {
            true => found.extend(files(&path, ending)),
            false if path.extension().is_some_and(|e| e == ending) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

/// Waits until something holds, so many seconds at most.
pub(crate) fn until(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(seconds), "{what} did not come about in {seconds} s");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What a script with a boto3 client `s3` (and `logs`, `ec2`) prints.
pub(crate) fn boto(server: &Server, script: &str) -> String {
    let client = |name| {
        format!(
            "{name} = boto3.client('{name}', endpoint_url='http://127.0.0.1:{}', region_name='eu-central-1', aws_access_key_id='test', aws_secret_access_key='test')\n",
            server.port
        )
    };
    let head = format!("import boto3, json, sys\n{}{}{}", client("s3"), client("logs"), client("ec2"));
    let done = Command::new("python3").args(["-c", &(head + script)]).output().unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    stdout(&done)
}

/// Everything below the head of the ledger, judged by the desk's clock.
pub(crate) fn assessed(desk: &Desk) -> Assessment {
    assessed_at(desk, desk.clock.now())
}

/// The same, judged at another time.
pub(crate) fn assessed_at(desk: &Desk, at: Time) -> Assessment {
    let store = desk.store().unwrap();
    let mut facts = Facts::default();
    store.verified(u64::MAX, |p| facts.fold(p)).unwrap().unwrap();
    let run = AssessmentRun {
        at,
        size: facts.size,
        scheduled: false,
        nights: 1,
        catalogue: (String::new(), String::new()),
        rules: String::new(),
        config: desk.assessment_config(),
        verdicts: String::new(),
        metrics: Vec::new(),
    };
    actledger::assessment::assess_whole(&facts, &desk.catalogue, &run)
}

/// Id, status, reason and note of each unit of a control, for a system and by the desk's clock.
pub(crate) fn judged(
    desk: &Desk,
    system: &str,
    control: &str,
) -> Vec<(String, &'static str, String, String)> {
    let judged = assessed(desk);
    let of_control =
        judged.findings.iter().filter(|f| f.control == control && f.system.as_deref() == Some(system));
    let units = of_control.flat_map(|f| &f.units);
    units.map(|u| (u.id.clone(), u.status.name(), u.reason.clone(), u.note.clone())).collect()
}

/// Status, reason and note of the unit whose id ends so.
pub(crate) fn unit_of(
    desk: &Desk,
    system: &str,
    control: &str,
    unit: &str,
) -> (&'static str, String, String) {
    let all = judged(desk, system, control);
    let found = all.iter().find(|(id, ..)| id.ends_with(unit));
    let (_, status, reason, note) = found.unwrap_or_else(|| panic!("no {unit} in {all:#?}")).clone();
    (status, reason, note)
}
