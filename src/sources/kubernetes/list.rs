//! A list, read to its end: in pages, begun anew when it expires or changes under way.

use super::session::Session;
use crate::sources::gatekeeper::{self, Object};
use crate::sources::http::Refusal;
use crate::sources::pages::Pages;
use kube::api::ListParams;
use kube::core::Request;
use serde_json::Value;

/// Objects of a page; constraints are as long as their lists of violations.
const PAGE: u32 = 500;
const CONSTRAINTS: u32 = 20;
/// How often a list is begun.
const BEGINNINGS: usize = 3;

/// A list as far as it was read.
#[derive(Default)]
pub(super) struct List {
    /// Its path.
    pub path: String,
    /// The kind that it is of, and its version.
    pub kind: String,
    pub version: Value,
    /// Of the cluster, when its first page was made.
    pub at: Value,
    /// All of its items.
    pub items: Vec<Result<Object, &'static str>>,
    /// Path and digest of each page.
    pub digests: Vec<String>,
    /// Why it is not whole.
    pub broken: Option<Refusal>,
}

impl List {
    /// All of them, over all namespaces; `fields` selects.
    pub(super) fn read(session: &Session, path: &str, fields: Option<&str>) -> List {
        for _ in 1..BEGINNINGS {
            let list = List::begun(session, path, fields);
            if !matches!(list.broken, Some(Refusal::Expired(_))) {
                return list;
            }
        }
        List::begun(session, path, fields)
    }

    /// One that was not begun, because the pass has taken its time.
    pub(super) fn late(path: &str) -> List {
        let why = Refusal::Failed(format!("GET {path}: the pass took longer than its limit"));
        List { path: path.to_owned(), broken: Some(why), ..List::default() }
    }

    fn begun(session: &Session, path: &str, fields: Option<&str>) -> List {
        let mut list = List { path: path.to_owned(), ..List::default() };
        list.broken = list.pages(session, fields).err();
        list
    }

    fn pages(&mut self, session: &Session, fields: Option<&str>) -> Result<(), Refusal> {
        let called = format!("GET {}", self.path);
        let page = if self.path.contains(gatekeeper::CONSTRAINTS) { CONSTRAINTS } else { PAGE };
        let mut params =
            ListParams { field_selector: fields.map(str::to_owned), ..ListParams::default() }.limit(page);
        let mut pages = Pages::of(&called);
        loop {
            let asked = Request::new(&self.path).list(&params).map_err(|e| Refusal::Failed(e.to_string()))?;
            let (mut page, sha256) = session.get(&self.path, &asked.uri().to_string())?;
            let items = page.get_mut("items").map(Value::take);
            let Some(Value::Array(items)) = items else {
                return Err(Refusal::Failed(format!("{called}: the answer is no list")));
            };
            let at = page["metadata"]["resourceVersion"].clone();
            if self.digests.is_empty() {
                let kind = page["kind"].as_str().unwrap_or_default();
                self.kind = kind.strip_suffix("List").unwrap_or(kind).to_owned();
                (self.version, self.at) = (page["apiVersion"].clone(), at);
            } else if at != self.at {
                return Err(Refusal::Expired(format!("{called}: it changed between its pages")));
            }
            self.digests.push(format!("{} {sha256}", self.path));
            self.items.extend(items.into_iter().map(|item| Object::of(item, &self.kind, &self.version)));
            let token = pages.next(page["metadata"]["continue"].as_str()).map_err(Refusal::Failed)?;
            let Some(token) = token else { return Ok(()) };
            params = params.continue_token(&token);
        }
    }
}
