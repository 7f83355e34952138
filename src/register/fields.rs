//! What stands in the fields of the register's tables. Written as JSON, each is the payload of `evidence::register` of the
//! same name: dates are times, names of people are sealed.

use crate::evidence::{Private, Time};
use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{Formatter, Result as Written};
use std::marker::PhantomData;

/// A text of which a remark may tell the line.
pub(super) type Located = toml::Spanned<String>;

/// A day or a time as TOML writes it; a day is its midnight in UTC.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct When(pub Time);

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<When, D::Error> {
        let written = toml::value::Datetime::deserialize(d)?;
        written.to_string().parse().map(When).map_err(Error::custom)
    }
}

/// The name of a person or a group, which is sealed; an empty one names nobody.
#[derive(Clone, Debug, Deserialize)]
pub struct Person(pub String);

impl Person {
    /// The name, to be sealed.
    pub fn private(&self) -> Option<Private> {
        let name = self.0.trim();
        (!name.is_empty()).then(|| Private::of(name))
    }
    /// Whether both name the same.
    pub fn is(&self, other: &Person) -> bool {
        self.0.trim().eq_ignore_ascii_case(other.0.trim())
    }
}

impl Serialize for Person {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.private().serialize(s)
    }
}

/// A table, or the word `none`; a field that is absent says nothing.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Said<T> {
    /// Nothing is said.
    #[default]
    Absent,
    /// `"none"`
    None,
    /// The table.
    Given(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Said<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Said<T>, D::Error> {
        d.deserialize_any(SaidVisitor(PhantomData))
    }
}

struct SaidVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SaidVisitor<T> {
    type Value = Said<T>;
    fn expecting(&self, f: &mut Formatter<'_>) -> Written {
        f.write_str("a table, or the word \"none\"")
    }
    fn visit_str<E: Error>(self, word: &str) -> Result<Said<T>, E> {
        match word {
            "none" => Ok(Said::None),
            other => Err(E::invalid_value(Unexpected::Str(other), &self)),
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Said<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Said::Given)
    }
}

/// A document: `{ uri, sha256, version_id, date, approver, model_versions }`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Where it lies.
    pub uri: Option<String>,
    /// SHA-256 of its bytes.
    #[serde(serialize_with = "in_lower_case")]
    pub sha256: Option<String>,
    /// S3 version id.
    pub version_id: Option<String>,
    /// Its date.
    pub date: Option<When>,
    /// Who approved it.
    pub approver: Option<Person>,
    /// Model versions that it holds for.
    #[serde(default)]
    pub model_versions: Vec<String>,
}

fn in_lower_case<S: Serializer>(text: &Option<String>, s: S) -> Result<S::Ok, S::Error> {
    text.as_ref().map(|t| t.to_lowercase()).serialize(s)
}

/// One paragraph of Art. 50.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Art50 {
    /// 1 to 4.
    pub paragraph: i64,
    /// Whether it applies.
    pub applies: Option<bool>,
    /// Why not.
    pub reason: Option<String>,
    /// The notice or marking.
    #[serde(default)]
    pub record: Said<Record>,
    /// Since when it is there.
    pub since: Option<When>,
}

/// The papers that precede a high-risk system (Arts 43, 47 to 49).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Conformity {
    /// Art. 43.
    #[serde(default)]
    pub assessment: Said<Record>,
    /// Art. 47.
    #[serde(default)]
    pub declaration: Said<Record>,
    /// Art. 48.
    #[serde(default)]
    pub ce_marking: Said<Record>,
    /// Art. 49(1).
    #[serde(default)]
    pub registration: Said<Registration>,
}

/// An entry in the EU database, or a national one.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Its number.
    pub number: Option<String>,
    /// Its date.
    pub date: Option<When>,
}

/// The assessment of the impact on fundamental rights (Art. 27).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fria {
    /// Whether Art. 27 applies.
    pub applies: Option<bool>,
    /// Why not.
    pub reason: Option<String>,
    /// The assessment.
    #[serde(default)]
    pub record: Said<Record>,
    /// When the authority was notified.
    pub notified: Option<When>,
    /// An earlier assessment that covers it.
    pub covered_by: Option<String>,
}

/// Since when people are told, and how.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Informed {
    /// Since when.
    pub date: Option<When>,
    /// In which way.
    pub how: Option<String>,
}

/// Who oversees the system (Art. 26(2)).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Oversight {
    /// People or groups.
    #[serde(default)]
    pub people: Vec<Person>,
    /// When they were trained.
    pub trained: Option<When>,
}

/// Own changes to a system of another provider (Art. 25(1)).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Modification {
    /// Whether name, model or purpose were changed.
    pub own: Option<bool>,
    /// What that makes of us, written down.
    #[serde(default)]
    pub assessment: Said<Record>,
    /// Whether it makes us the provider.
    pub makes_provider: Option<bool>,
}

/// A compliance review.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// When it was held.
    pub date: Option<When>,
    /// Who held it.
    pub reviewer: Option<Person>,
    /// Where its record lies.
    pub uri: Option<String>,
    /// SHA-256 of the record.
    #[serde(default, serialize_with = "in_lower_case")]
    pub sha256: Option<String>,
}

/// The general-purpose model in the system (Art. 53).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gpai {
    /// Whether we are its provider.
    pub provider: Option<bool>,
    /// Whether it has systemic risk.
    pub systemic: Option<bool>,
    /// Why it counts as free and open-source (Art. 53(2)).
    pub open_source: Option<String>,
    /// Art. 53(1)(a).
    #[serde(default)]
    pub technical_documentation: Said<Record>,
    /// Art. 53(1)(b).
    #[serde(default)]
    pub downstream_information: Said<Record>,
    /// Art. 53(1)(c).
    #[serde(default)]
    pub copyright_policy: Said<Record>,
    /// Art. 53(1)(d).
    #[serde(default)]
    pub training_summary: Said<Record>,
}

/// Measures for AI literacy (Art. 4).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AiLiteracy {
    /// What is done.
    pub measures: Option<String>,
    /// For whom.
    pub audience: Option<String>,
    /// When it was last looked at.
    pub date: Option<When>,
    /// Role that owns it.
    pub owner: Option<String>,
}

/// Where the system's own logs lie: a list of `s3://bucket/prefix` and `cloudwatch:LOG-GROUP`, or `{ none = "reason" }`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LogStore {
    /// The places.
    pub places: Vec<String>,
    /// Why there is none.
    pub none: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoLogStore {
    none: String,
}

impl<'de> Deserialize<'de> for LogStore {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<LogStore, D::Error> {
        d.deserialize_any(LogStoreVisitor)
    }
}

struct LogStoreVisitor;

impl<'de> Visitor<'de> for LogStoreVisitor {
    type Value = LogStore;
    fn expecting(&self, f: &mut Formatter<'_>) -> Written {
        f.write_str("a list of places, or { none = \"reason\" }")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<LogStore, A::Error> {
        let mut found = LogStore::default();
        while let Some(place) = list.next_element()? {
            found.places.push(place);
        }
        Ok(found)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LogStore, A::Error> {
        let NoLogStore { none } = NoLogStore::deserialize(MapAccessDeserializer::new(map))?;
        Ok(LogStore { places: Vec::new(), none: Some(none) })
    }
}
