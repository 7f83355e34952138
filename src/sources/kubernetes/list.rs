//! A list, read to its end: in pages, begun anew when it expires or changes under way.

use super::session::{Refusal, Session};
use kube::api::ListParams;
use kube::core::Request;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Objects of a page.
const PAGE: u32 = 500;
/// Most pages of one list: five million objects.
const PAGES: usize = 10_000;
/// How often a list is begun.
const BEGINNINGS: usize = 3;

/// A list as far as it was read.
#[derive(Default)]
pub(super) struct List {
    /// Its path.
    pub path: String,
    /// Of the first page, without its items.
    head: Value,
    /// All of its objects.
    pub items: Vec<Value>,
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

    fn begun(session: &Session, path: &str, fields: Option<&str>) -> List {
        let mut list = List { path: path.to_owned(), ..List::default() };
        list.broken = list.pages(session, fields).err();
        list
    }

    fn pages(&mut self, session: &Session, fields: Option<&str>) -> Result<(), Refusal> {
        let failed = |what: &str| Refusal::Failed(format!("GET {}: {what}", self.path));
        let (no_list, endless) = (failed("the answer is no list"), failed("the list has no end"));
        let mut params =
            ListParams { field_selector: fields.map(str::to_owned), ..ListParams::default() }.limit(PAGE);
        let mut tokens = HashSet::new();
        loop {
            let asked = Request::new(&self.path).list(&params).map_err(|e| Refusal::Failed(e.to_string()))?;
            let (mut page, sha256) = session.get(&self.path, &asked.uri().to_string())?;
            let Value::Array(items) = page["items"].take() else { return Err(no_list) };
            let version = |page: &Value| page["metadata"]["resourceVersion"].clone();
            self.digests.push(format!("{} {sha256}", self.path));
            self.items.extend(items);
            if self.digests.len() == 1 {
                self.head = page.clone();
            } else if version(&page) != version(&self.head) {
                return Err(Refusal::Expired(format!("GET {}: it changed between its pages", self.path)));
            }
            match page["metadata"]["continue"].as_str().filter(|t| !t.is_empty()) {
                None => return Ok(()),
                Some(token) if tokens.len() < PAGES && tokens.insert(token.to_owned()) => {
                    params = params.continue_token(token);
                }
                Some(_) => return Err(endless),
            }
        }
    }

    /// As one reply.
    pub(super) fn reply(self) -> Value {
        json!({ "kind": self.head["kind"], "apiVersion": self.head["apiVersion"], "items": self.items })
    }
}
