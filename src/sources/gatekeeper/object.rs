//! An object of a cluster as text, with what is asked of it most. A look of a large cluster holds tens of thousands.

use crate::evidence::Time;
use serde_json::Value;

/// An object of a cluster.
#[derive(Clone, Debug)]
pub struct Object {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for an object of the cluster.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// uid and resource version, which no two states of an object share; none where it does not tell both.
    pub version: Option<String>,
    /// When it was changed last, where it tells: `kubectl get` leaves that out unless asked.
    pub changed: Option<Time>,
    text: Box<[u8]>,
}

impl Object {
    /// An item of a list, which takes kind and version from its list where it has none.
    ///
    /// # Errors
    /// It is no object.
    pub fn of(mut value: Value, kind: &str, api_version: &Value) -> Result<Object, &'static str> {
        if value["metadata"]["name"].as_str().is_none() {
            return Err("has no metadata.name: it is no object of a cluster");
        }
        if value["kind"].as_str().is_none() {
            value["kind"] = kind.into();
        }
        if value["apiVersion"].is_null() {
            value["apiVersion"] = api_version.clone();
        }
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let (group, kind, metadata) =
            (group(&value["apiVersion"]).to_owned(), text(&value["kind"]), &value["metadata"]);
        if group.is_empty() && kind == "Secret" {
            return Err("is a Secret, which is not read");
        }
        let version = metadata["uid"].as_str().zip(metadata["resourceVersion"].as_str());
        Ok(Object {
            group,
            kind,
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            version: version.map(|(uid, version)| format!("{uid} {version}")),
            changed: managed(&value).filter_map(|f| f["time"].as_str()?.parse().ok()).max(),
            text: value.to_string().into_bytes().into(),
        })
    }

    /// All of it.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.text).unwrap_or_default()
    }

    /// Bytes of its text.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether its text holds some ASCII text: cheaper than all of it.
    pub fn may_hold(&self, text: &str) -> bool {
        memchr::memmem::find(&self.text, text.as_bytes()).is_some()
    }

    /// `NAMESPACE/KIND/NAME`
    pub fn shown(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.kind, self.name)
    }

    /// The namespace that it is in, or is.
    pub(super) fn within(&self) -> &str {
        if self.group.is_empty() && self.kind == "Namespace" { &self.name } else { &self.namespace }
    }
}

/// Who changed which fields of an object, and when.
pub(super) fn managed(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["managedFields"].as_array().into_iter().flatten()
}

/// The group of an `apiVersion`.
pub(super) fn group(api_version: &Value) -> &str {
    api_version.as_str().and_then(|v| v.split_once('/')).map_or("", |(g, _)| g)
}
