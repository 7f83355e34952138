//! Stories of one estate in which everything is as it should be: each changes a fact or two in the documents of the
//! sources or in the register, lets the program ingest them, and asks one control.

use super::{World, assessed, project};
use actledger::assessment::{Assessment, Finding};
use actledger::jobs;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// When the sources are looked at, and when the report is due after the last look.
pub(crate) const LOOKS: [&str; 4] =
    ["20261117T040000Z", "20261118T040000Z", "20261119T040000Z", "20261120T040000Z"];
pub(crate) const SOURCES: [&str; 4] = ["cluster", "terraform", "artifacts", "flow-logs"];
/// Documents that are there from the third look on: the run was applied between the second and the third.
const OF_THE_RUN: [&str; 3] = ["terraform/runs/", "terraform/plans/", "terraform/cost-estimates/"];
/// 16 November 2026, 04:00 UTC: the first hour of the flow logs.
const FIRST_HOUR: i64 = 1_794_801_600;

/// One file of stories: those of a control.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stories {
    #[serde(rename = "story")]
    stories: Vec<Story>,
}

/// The stories of a control, each with the changes of the one that it comes after.
pub(crate) fn stories(control: &str) -> Vec<Story> {
    let begun = told("common", Vec::new());
    let begins = begun.len();
    told(control, begun).split_off(begins)
}

/// The stories of a file, below those that they may go on from.
fn told(file: &str, mut told: Vec<Story>) -> Vec<Story> {
    let path = folder().join(format!("{file}.toml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let parsed: Stories = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    for mut story in parsed.stories {
        story.own_changes = story.change.len();
        if let Some(other) = &story.after {
            let before = told.iter().find(|s| s.tells == *other);
            let before = before.unwrap_or_else(|| panic!("{file}: no story {other:?} before"));
            story.change.splice(0..0, before.change.clone());
            story.nightly |= before.nightly;
        }
        told.push(story);
    }
    told
}

/// What is changed, and what the control then says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Story {
    /// One sentence.
    pub(crate) tells: String,
    /// The system that is asked; `estate` for the estate.
    #[serde(default = "scoring")]
    pub(crate) system: String,
    /// The story that it goes on from; without one, the estate as it is.
    pub(crate) after: Option<String>,
    #[serde(default)]
    pub(crate) change: Vec<Change>,
    /// How many of the changes are its own.
    #[serde(skip)]
    pub(crate) own_changes: usize,
    /// The status of the finding.
    #[serde(default)]
    pub(crate) is: String,
    /// The reason of the unit that decides.
    #[serde(default)]
    pub(crate) because: String,
    /// Whether findings are brought up to date after each look, not only after the last.
    #[serde(default)]
    pub(crate) nightly: bool,
}

fn scoring() -> String {
    "scoring".into()
}

/// One change of one document.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Change {
    /// A document of the estate.
    r#in: String,
    /// A text in it that stands there once …
    replace: String,
    /// … and what stands there instead.
    with: String,
    /// A JSON pointer into it; `-` at its end adds to a list, and tables of the register go by their system …
    at: String,
    /// … and the value there; without one the member is taken away. Without a pointer: the whole document.
    is: Option<toml::Value>,
    /// A text in names and contents of documents that are copied: `run-1` …
    copy: String,
    /// … and what stands there in the copies.
    to: String,
    /// Takes away documents that begin so.
    without: String,
    /// Takes a whole look away: `cluster/20261119T040000Z`.
    without_look: String,
    /// Hours of the flow logs in which nothing is recorded, by their beginning: `2026-11-19T10`.
    silent: Vec<String>,
    /// A record more in one hour: the hour, and the line.
    record: Option<(String, String)>,
    /// Only in looks from this one on, and up to this one.
    from: String,
    until: String,
}

/// Documents by their path below the estate, as they stand at one look.
type Documents = BTreeMap<String, String>;

fn read(folder: &Path, base: &Path, into: &mut Documents) {
    for item in std::fs::read_dir(folder).unwrap().map(|i| i.unwrap().path()) {
        if item.is_dir() {
            read(&item, base, into);
        } else {
            let name = item.strip_prefix(base).unwrap().to_string_lossy().into_owned();
            into.insert(name, std::fs::read_to_string(&item).unwrap());
        }
    }
}

/// The folder of the stories.
pub(crate) fn folder() -> std::path::PathBuf {
    project().join("tests/data/scenarios")
}

/// What stands in the estate at a look. `X.before.json` is X until the last look but one.
fn documents(look: usize) -> Documents {
    let (estate, mut all) = (folder().join("estate"), Documents::new());
    read(&estate, &estate, &mut all);
    let is_last = look + 1 == LOOKS.len();
    let before: Vec<String> = all.keys().filter(|k| k.ends_with(".before.json")).cloned().collect();
    for name in before {
        let text = all.remove(&name).unwrap();
        if !is_last {
            all.insert(name.replace(".before.json", ".json"), text);
        }
    }
    if look < 2 {
        all.retain(|name, _| !OF_THE_RUN.iter().any(|start| name.starts_with(start)));
    }
    let audit = format!("{}-{}-{}T03:58:10Z", &LOOKS[look][..4], &LOOKS[look][4..6], &LOOKS[look][6..8]);
    all.values_mut().for_each(|text| *text = text.replace("{AUDIT}", &audit));
    all
}

impl Change {
    fn holds_in(&self, look: &str) -> bool {
        (self.from.is_empty() || look >= self.from.as_str())
            && (self.until.is_empty() || look <= self.until.as_str())
    }

    fn apply(&self, story: &str, documents: &mut Documents) {
        if !self.without.is_empty() {
            documents.retain(|name, _| !name.starts_with(&self.without));
        }
        if !self.copy.is_empty() {
            let copies = documents.iter().filter(|(name, _)| name.contains(&self.copy));
            let copied = |(name, text): (&String, &String)| {
                (name.replace(&self.copy, &self.to), text.replace(&self.copy, &self.to))
            };
            let copies: Vec<_> = copies.map(copied).collect();
            documents.extend(copies);
        }
        let is_json = |is: &toml::Value| serde_json::to_value(is).unwrap();
        if let (Some(whole), "") = (&self.is, self.at.as_str()) {
            documents.insert(self.r#in.clone(), is_json(whole).to_string());
        }
        let Some(text) = documents.get_mut(&self.r#in) else {
            // Documents of the run are not there before it was.
            let is_late = OF_THE_RUN.iter().any(|start| self.r#in.starts_with(start));
            assert!(self.r#in.is_empty() || is_late, "{story}: there is no {}", self.r#in);
            return;
        };
        if !self.replace.is_empty() {
            let times = text.matches(&self.replace).count();
            assert_eq!(times, 1, "{story}: {:?} stands {times} times in {}", self.replace, self.r#in);
            *text = text.replace(&self.replace, &self.with);
        }
        if !self.at.is_empty() && self.r#in.ends_with(".toml") {
            let mut register: toml::Value = toml::from_str(text).unwrap();
            declare(story, &mut register, &self.at, self.is.as_ref());
            *text = toml::to_string(&register).unwrap();
        } else if !self.at.is_empty() {
            let mut json: Value = serde_json::from_str(text).unwrap();
            set(story, &mut json, &self.at, self.is.as_ref().map(is_json).as_ref());
            *text = json.to_string();
        }
    }
}

/// Sets a value of the register, or takes it away.
fn declare(story: &str, register: &mut toml::Value, pointer: &str, value: Option<&toml::Value>) {
    let missing = format!("{story}: there is no {pointer}");
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let parent = parent.split('/').skip(1).try_fold(register, |here, step| match here {
        toml::Value::Array(items) => place(items, step).and_then(|i| items.get_mut(i)),
        other => other.get_mut(step),
    });
    match (parent.expect(&missing), value) {
        (toml::Value::Array(items), Some(value)) if last == "-" => items.push(value.clone()),
        (toml::Value::Array(items), value) => {
            let at = place(items, last).expect(&missing);
            items.splice(at..=at, value.cloned());
        }
        (toml::Value::Table(members), Some(value)) => drop(members.insert(last.to_owned(), value.clone())),
        (toml::Value::Table(members), None) => drop(members.remove(last).expect(&missing)),
        _ => panic!("{missing}"),
    }
}

/// Where the item of a list stands that is about a system, or has this number.
fn place(items: &[toml::Value], name: &str) -> Option<usize> {
    let is_it = |item: &toml::Value| {
        ["id", "system"].iter().any(|member| item.get(member).and_then(toml::Value::as_str) == Some(name))
    };
    items.iter().position(is_it).or_else(|| name.parse().ok())
}

fn set(story: &str, json: &mut Value, pointer: &str, value: Option<&Value>) {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let parent = json.pointer_mut(parent).unwrap_or_else(|| panic!("{story}: no {pointer}"));
    let last = last.replace("~1", "/");
    match (parent, value) {
        (Value::Array(items), Some(value)) if last == "-" => items.push(value.clone()),
        (Value::Array(items), Some(value)) => items[last.parse::<usize>().unwrap()] = value.clone(),
        (Value::Array(items), None) => drop(items.remove(last.parse().unwrap())),
        (Value::Object(members), Some(value)) => drop(members.insert(last, value.clone())),
        (Value::Object(members), None) => {
            members.remove(&last).unwrap_or_else(|| panic!("{story}: no {pointer}"));
        }
        _ => panic!("{story}: {pointer} leads into no table"),
    }
}

impl Story {
    /// The estate as it is.
    pub(crate) fn quiet() -> Story {
        let text = "tells = \"nothing is changed\"\nis = \"\"";
        toml::from_str(text).unwrap()
    }

    /// The changes of both; none where they are not of one form.
    pub(crate) fn with(&self, other: &Story) -> Option<Story> {
        let clash = |a: &Change, b: &Change| {
            let is_one_text = a.replace.contains(&b.replace) || b.replace.contains(&a.replace);
            // What is about another system now has another place.
            let [of_a, of_b] = [a, b].map(|change| change.at.trim_end_matches("/system"));
            let is_one_member = of_a.starts_with(of_b) || of_b.starts_with(of_a);
            let is_gone = |a: &Change, b: &Change| !a.without.is_empty() && b.r#in.starts_with(&a.without);
            a.r#in == b.r#in && is_one_text && is_one_member || is_gone(a, b) || is_gone(b, a)
        };
        let clashes = |a: &Change| other.change.iter().any(|b| clash(a, b));
        if self.change.iter().any(clashes) {
            return None;
        }
        let mut both = self.clone();
        both.tells = format!("{}; and {}", self.tells, other.tells);
        both.change.extend(other.change.iter().cloned());
        Some(both)
    }

    /// The same without a look.
    pub(crate) fn without_look(mut self, source: &str, look: &str) -> Story {
        self.change.push(Change { without_look: format!("{source}/{look}"), ..Change::default() });
        self
    }

    /// The same without a document of a look: a listing, a reply, a delivered object of flow logs.
    pub(crate) fn without_document(mut self, document: &str, look: &str) -> Story {
        let (without, look) = (document.to_owned(), look.to_owned());
        self.change.push(Change { without, from: look.clone(), until: look, ..Change::default() });
        self
    }

    /// What is taken away of looks, in words.
    pub(crate) fn leaves(&self) -> String {
        let gone = self.change.iter().map(|c| match c.without_look.as_str() {
            "" if c.without.is_empty() => String::new(),
            "" => format!("{} of {}", c.without, c.from),
            look => format!("the look {look}"),
        });
        gone.filter(|what| !what.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// Documents of a source at a look; a refusal of a cluster is none of them: it tells what was not seen, and a folder without it says less.
    pub(crate) fn documents(&self, source: &str, look: usize) -> Vec<String> {
        let (look_name, mut documents) = (LOOKS[look], documents(look));
        for change in self.change.iter().filter(|c| c.holds_in(look_name)) {
            change.apply(&self.tells, &mut documents);
        }
        documents.retain(|name, text| name.starts_with(source) && !text.contains("\"Failure\""));
        let mut names: Vec<String> = documents.into_keys().collect();
        if source == "flow-logs" {
            let objects = self.flow_logs(look, "\n").into_iter().map(|(name, _)| format!("flow-logs/{name}"));
            names.extend(objects);
        }
        names
    }

    /// The estate of the story, as it was looked at. What nothing changes is shared by all stories.
    pub(crate) fn world(&self) -> World {
        static QUIET: OnceLock<World> = OnceLock::new();
        let is_quiet = self.change.is_empty();
        let quiet = (!is_quiet).then(|| QUIET.get_or_init(|| Story::quiet().world()));
        let world = World { dir: tempfile::tempdir().unwrap() };
        for (i, look) in LOOKS.iter().enumerate() {
            let before = documents(i);
            let mut documents = before.clone();
            for change in self.change.iter().filter(|c| c.holds_in(look)) {
                change.apply(&self.tells, &mut documents);
            }
            for source in SOURCES.iter().filter(|s| !self.leaves_out(s, look)) {
                let here = |d: &Documents| -> Documents {
                    d.iter()
                        .filter(|(n, _)| n.starts_with(source))
                        .map(|(n, t)| (n.clone(), t.clone()))
                        .collect()
                };
                let (shown, path) = (here(&documents), format!("{source}/{look}"));
                let is_same = shown == here(&before) && (*source != "flow-logs" || !self.is_about_hours());
                match quiet.filter(|_| is_same) {
                    Some(quiet) => {
                        std::fs::create_dir_all(world.path(source)).unwrap();
                        std::os::unix::fs::symlink(quiet.path(&path), world.path(&path)).unwrap();
                    }
                    None => self.write_look(&world, (source, i), shown),
                }
            }
            // The config and the register are those of the last look.
            for name in ["actledger.toml", "systems.toml"] {
                std::fs::write(world.path(name), &documents[name]).unwrap();
            }
        }
        world
    }

    fn leaves_out(&self, source: &str, look: &str) -> bool {
        self.change.iter().any(|c| c.without_look == format!("{source}/{look}"))
    }

    fn is_about_hours(&self) -> bool {
        let of_objects = |c: &Change| c.without.starts_with("flow-logs/AWSLogs/");
        self.change.iter().any(|c| !c.silent.is_empty() || c.record.is_some() || of_objects(c))
    }

    fn write_look(&self, world: &World, (source, look): (&str, usize), mut documents: Documents) {
        let line = documents.remove("flow-logs/each-hour.log");
        let objects = line.iter().flat_map(|line| self.flow_logs(look, line));
        let objects = objects.map(|(name, text)| (format!("flow-logs/{name}"), text));
        let is_gone = |name: &str| {
            let here = self.change.iter().filter(|c| c.holds_in(LOOKS[look]));
            here.filter(|c| !c.without.is_empty()).any(|c| name.starts_with(&c.without))
        };
        documents.extend(objects.filter(|(name, _)| !is_gone(name)));
        for (name, text) in documents {
            let rest = name.strip_prefix(source).unwrap();
            let path = world.path(&format!("{source}/{}{rest}", LOOKS[look]));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    /// Three files for the 24 hours before a look: the first line, which names the fields, and the second for each hour.
    fn flow_logs(&self, look: usize, lines: &str) -> Vec<(String, String)> {
        let begin = FIRST_HOUR + 86_400 * i64::try_from(look).unwrap();
        let time = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap();
        let file = |chunk: i64| {
            let start = begin + chunk * 28_800;
            let (header, line) = lines.split_once('\n').unwrap();
            let mut text = format!("{header}\n");
            for hour in (start..start + 28_800).step_by(3600) {
                let name = time(hour).strftime("%Y-%m-%dT%H").to_string();
                let is_silent = self.change.iter().any(|c| c.silent.contains(&name));
                let more = self.change.iter().filter_map(|c| c.record.as_ref()).filter(|(h, _)| *h == name);
                let lines = (!is_silent).then_some(line).into_iter().chain(more.map(|(_, l)| l.as_str()));
                for line in lines.filter(|l| !l.is_empty()) {
                    let (from, to) = ((hour + 60).to_string(), (hour + 118).to_string());
                    text += &format!("{}\n", line.trim_end().replace("{START}", &from).replace("{END}", &to));
                }
            }
            let (day, at) = (time(start).strftime("%Y/%m/%d"), time(start).strftime("%Y%m%dT%H%MZ"));
            let name = format!(
                "AWSLogs/111122223333/vpcflowlogs/eu-central-1/{day}/111122223333_vpcflowlogs_eu-central-1_fl-1_{at}_0000000{chunk}.log"
            );
            (name, text)
        };
        (0..3).map(file).collect()
    }

    /// What an assessment says after the last look.
    pub(crate) fn judged(&self) -> Assessment {
        let world = self.world();
        let desk = world.desk();
        let nights = jobs::demo_nights(&desk.config).unwrap();
        let told = if self.nightly { nights.as_slice() } else { &nights[nights.len() - 1..] };
        desk.clock.set(told[0]);
        let mut store = desk.store().unwrap();
        for night in told {
            desk.clock.set(*night);
            let status = jobs::ingest(&desk, &mut store, &[], &|_, _, _| {}).unwrap();
            assert!(!status.failed() || !self.change.is_empty(), "{}: {status:?}", self.tells);
            if self.nightly && night != told.last().unwrap() {
                jobs::assess(&desk, &mut store, true).unwrap();
            }
        }
        drop(store);
        assessed(&desk)
    }

    /// The finding of a control for the story's system.
    pub(crate) fn finding<'j>(&self, judged: &'j Assessment, control: &str) -> Option<&'j Finding> {
        let system = (self.system != "estate").then_some(self.system.as_str());
        judged.findings.iter().find(|f| f.control == control && f.system.as_deref() == system)
    }
}
