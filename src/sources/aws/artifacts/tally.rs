//! What a listing held so far: numbers, and a digest over all of it that anybody can compute from the record.

use super::listing::{Item, Stored};
use crate::evidence::Time;
use crate::evidence::record::Listing;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How far a listing is, as a pass leaves it for the next one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tally {
    /// `s3://BUCKET/PREFIX`
    pub place: String,
    /// When it began; none before.
    pub begun: Option<Time>,
    /// The last key of which every version was listed.
    pub after: String,
    pages: u64,
    versions: u64,
    markers: u64,
    /// Lower-case hex; empty before the first key.
    digest: String,
}

impl Tally {
    /// Nothing yet.
    pub(super) fn begin(place: String, now: Time) -> Tally {
        Tally { place, begun: Some(now), ..Tally::default() }
    }

    /// Counts pages.
    pub(super) fn turn(&mut self, pages: u64) {
        self.pages += pages;
    }

    /// Takes all versions of the next key.
    pub(super) fn close(&mut self, versions: &mut [Item]) {
        versions.sort_by(|a, b| a.version_id.cmp(&b.version_id));
        for item in versions.iter() {
            let stored = item.stored.as_ref().map(|Stored { etag, size, .. }| (etag, size));
            let line = (&item.key, &item.version_id, stored.map(|s| s.0), stored.map(|s| s.1));
            let line = serde_json::to_vec(&line).unwrap_or_default();
            let hash = Sha256::new().chain_update(&self.digest).chain_update(line).finalize();
            self.digest = crate::evidence::hex(&hash);
            *(if item.stored.is_some() { &mut self.versions } else { &mut self.markers }) += 1;
        }
        if let Some(last) = versions.last() {
            self.after.clone_from(&last.key);
        }
    }

    /// The listing, once it is at its end.
    pub(super) fn listing(&self) -> Listing {
        Listing {
            place: self.place.clone(),
            from: self.begun,
            pages: self.pages,
            versions: self.versions,
            markers: self.markers,
            digest: self.digest.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(version_id: &str, stored: Option<&str>) -> Item {
        let stored = stored.map(|etag| Stored { etag: etag.into(), size: 3, storage_class: String::new() });
        Item { key: "a".into(), version_id: version_id.into(), is_latest: false, modified: None, stored }
    }

    #[test]
    fn the_digest_is_of_what_was_there_whatever_its_order_within_a_key() {
        let tally = |mut items: [Item; 2]| {
            let mut tally = Tally::default();
            tally.close(&mut items);
            tally
        };
        let one = tally([item("v1", Some("e")), item("v2", None)]);
        assert_eq!(one, tally([item("v2", None), item("v1", Some("e"))]));
        assert_ne!(one.digest, tally([item("v1", Some("f")), item("v2", None)]).digest);
        assert_eq!((one.versions, one.markers, one.after.as_str()), (1, 1, "a"));
        // printf '%s' '["a","v1","e",3]' | sha256sum, then that digest and '["a","v2",null,null]' in the same way.
        assert_eq!(one.digest, "5220b238c39323e12d50b50fd5d797946bb35e83895555be626aab8bc326461c");
    }
}
