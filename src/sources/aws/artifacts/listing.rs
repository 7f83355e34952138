//! Every version of every object below a prefix, in the order of the keys. Parts of the keys are listed at once.

use super::super::why;
use crate::evidence::Time;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::EncodingType;
use futures_util::StreamExt;
use percent_encoding::percent_decode_str;
use std::collections::VecDeque;

/// Parts that are listed at once, and pages of each that wait for those before it.
const AT_ONCE: usize = 4;
const AHEAD: usize = 4;
/// Pages that wait in all.
const WAITING: usize = 16;

/// A version of an object, or a delete marker.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub key: String,
    pub version_id: String,
    pub is_latest: bool,
    pub modified: Option<Time>,
    /// None of a delete marker.
    pub stored: Option<Stored>,
}

/// What is stored under a version.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    pub etag: String,
    pub size: u64,
    pub storage_class: String,
}

/// Where versions are listed.
#[derive(Clone)]
pub(super) struct Place {
    pub client: Client,
    pub bucket: String,
    /// Ends in a slash, or is empty.
    pub prefix: String,
    /// Names of manifests.
    pub manifests: Vec<String>,
}

/// After what a page begins: a key, with all of its versions or up to one of them.
type Marker = (String, Option<String>);

/// A listing that goes on.
pub(super) struct Listing {
    place: Place,
    spans: VecDeque<Span>,
    is_split: bool,
    pages: u64,
}

/// Part of the keys, up to one of them.
struct Span {
    upto: Option<String>,
    next: Marker,
    ready: VecDeque<Vec<Item>>,
    is_read: bool,
}

impl Span {
    fn new(after: &str, upto: Option<&String>) -> Span {
        Span { upto: upto.cloned(), next: (after.to_owned(), None), ready: VecDeque::new(), is_read: false }
    }
}

/// What lies after a key, in parts that end with some keys, given in their order.
fn spans(after: &str, bounds: &[String]) -> VecDeque<Span> {
    let bounds: Vec<&String> = bounds.iter().filter(|b| b.as_str() > after).collect();
    let begins = std::iter::once(after).chain(bounds.iter().map(|b| b.as_str()));
    let ends = bounds.iter().map(|b| Some(*b)).chain([None]);
    begins.zip(ends).map(|(after, upto)| Span::new(after, upto)).collect()
}

impl Listing {
    /// What lies after a key, in parts that end with keys that are known.
    pub(super) fn new(place: Place, after: &str, bounds: &[String]) -> Listing {
        Listing { place, spans: spans(after, bounds), is_split: !bounds.is_empty(), pages: 0 }
    }

    /// How many pages were read.
    pub(super) fn pages(&self) -> u64 {
        self.pages
    }

    /// The next versions in the order of their keys; none after the last. The last key may go on in what comes next.
    ///
    /// # Errors
    /// A page is refused, is none, or leads nowhere.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Item>>, String> {
        loop {
            let Some(front) = self.spans.front_mut() else { return Ok(None) };
            if let Some(items) = front.ready.pop_front() {
                return Ok(Some(items));
            }
            if front.is_read {
                self.spans.pop_front();
            } else {
                self.round().await?;
            }
        }
    }

    /// A page more of several parts.
    async fn round(&mut self) -> Result<(), String> {
        let waiting: usize = self.spans.iter().map(|s| s.ready.len()).sum();
        // The first one goes on whatever waits behind it.
        let at_once = if waiting < WAITING { AT_ONCE } else { 1 };
        let due = |s: &&mut Span| !s.is_read && s.ready.len() < AHEAD;
        let place = &self.place;
        let asked = self.spans.iter_mut().filter(due).take(at_once).map(|span| async move {
            let page = place.page(&span.next).await;
            (span, page)
        });
        let replies: Vec<_> = futures_util::stream::iter(asked).buffered(AT_ONCE).collect().await;
        for (span, page) in replies {
            self.pages += 1;
            span.take(place, page?)?;
        }
        if !std::mem::replace(&mut self.is_split, true) {
            self.split().await?;
        }
        Ok(())
    }

    /// Divides what is left of a listing that has more than a page, by folders.
    async fn split(&mut self) -> Result<(), String> {
        let Some(only) = self.spans.front_mut().filter(|span| !span.is_read) else { return Ok(()) };
        let after = only.next.0.clone();
        let folders = self.place.folders(&after).await?;
        self.pages += 1;
        let bounds: Vec<String> = folders.iter().filter_map(|f| before(f)).filter(|b| *b > after).collect();
        only.upto = bounds.first().cloned();
        if let Some((first, others)) = bounds.split_first() {
            self.spans.extend(spans(first, others));
        }
        Ok(())
    }
}

/// A text that stands before a folder and after everything else that does: a key that nobody uses.
fn before(folder: &str) -> Option<String> {
    let mut text = folder.strip_suffix('/')?.to_owned();
    text.push('.');
    text.push(char::MAX);
    Some(text)
}

impl Span {
    /// Takes a page: what lies beyond the end of this part is of another.
    fn take(&mut self, place: &Place, page: Page) -> Result<(), String> {
        let mut items = page.items;
        let last = self.ready.back().and_then(|items| items.last()).map(|i| i.key.as_str());
        let begin = last.unwrap_or(&self.next.0);
        if items.first().is_some_and(|first| first.key.as_str() < begin) {
            let first = items.first().map_or("", |i| i.key.as_str());
            return Err(format!("{}: \"{first}\" comes after \"{begin}\"", place.asked(&self.next)));
        }
        if let Some(upto) = &self.upto {
            let inside = items.partition_point(|i| i.key <= *upto);
            self.is_read = inside < items.len();
            items.truncate(inside);
        }
        match page.next {
            None => self.is_read = true,
            Some(next) if next.0 < self.next.0 || next == self.next => {
                return Err(format!("{}: the next page begins where this one does", place.asked(&self.next)));
            }
            Some(next) => self.next = next,
        }
        self.ready.push_back(items);
        Ok(())
    }
}

/// A page: versions and delete markers in the order of the keys, and after what the next one begins.
struct Page {
    items: Vec<Item>,
    next: Option<Marker>,
}

impl Place {
    /// What is asked for, in words.
    fn asked(&self, (after, version): &Marker) -> String {
        let version = version.as_ref().map(|v| format!(" ({v})")).unwrap_or_default();
        format!("ListObjectVersions s3://{}/{} after \"{after}\"{version}", self.bucket, self.prefix)
    }

    async fn page(&self, marker: &Marker) -> Result<Page, String> {
        let asked = self.asked(marker);
        let reply = self.reply(marker, None).await?;
        let mut items = items(&reply).ok_or_else(|| format!("{asked}: an entry has no key or no version"))?;
        // Versions and delete markers are interleaved in a reply, and come apart in the SDK.
        items.sort_by(|a, b| a.key.cmp(&b.key));
        if !reply.is_truncated().unwrap_or(false) {
            return Ok(Page { items, next: None });
        }
        let key = reply.next_key_marker().filter(|k| !k.is_empty());
        let key = key.ok_or_else(|| format!("{asked}: the listing goes on, and does not say where"))?;
        let version = reply.next_version_id_marker().filter(|v| !v.is_empty()).map(str::to_owned);
        Ok(Page { items, next: Some((decoded(&reply, key), version)) })
    }

    /// Folders right below the prefix after a key, each with its closing slash.
    async fn folders(&self, after: &str) -> Result<Vec<String>, String> {
        let reply = self.reply(&(after.to_owned(), None), Some("/")).await?;
        Ok(reply.common_prefixes().iter().filter_map(|p| Some(decoded(&reply, p.prefix()?))).collect())
    }

    async fn reply(
        &self,
        marker: &Marker,
        delimiter: Option<&str>,
    ) -> Result<ListObjectVersionsOutput, String> {
        let (after, version) = marker;
        let request = self.client.list_object_versions().bucket(&self.bucket).prefix(&self.prefix);
        // Keys may hold characters that XML cannot.
        let request = request.encoding_type(EncodingType::Url).set_delimiter(delimiter.map(str::to_owned));
        let request = request.set_key_marker(Some(after.clone()).filter(|k| !k.is_empty()));
        let reply = request.set_version_id_marker(version.clone()).send().await;
        reply.map_err(|e| why(&self.asked(marker), &e))
    }
}

/// Entries of a page; none when one has no key or no version.
fn items(reply: &ListObjectVersionsOutput) -> Option<Vec<Item>> {
    let time = |t: Option<&aws_sdk_s3::primitives::DateTime>| {
        t.and_then(|t| t.to_millis().ok()).map(Time::from_millis)
    };
    let versions = reply.versions().iter().map(|v| {
        let size = v.size().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        Some(Item {
            key: decoded(reply, v.key()?),
            version_id: v.version_id()?.to_owned(),
            is_latest: v.is_latest().unwrap_or(false),
            modified: time(v.last_modified()),
            stored: Some(Stored {
                etag: v.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
                size,
                storage_class: v.storage_class().map(|c| c.as_str().to_owned()).unwrap_or_default(),
            }),
        })
    });
    let markers = reply.delete_markers().iter().map(|m| {
        Some(Item {
            key: decoded(reply, m.key()?),
            version_id: m.version_id()?.to_owned(),
            is_latest: m.is_latest().unwrap_or(false),
            modified: time(m.last_modified()),
            stored: None,
        })
    });
    versions.chain(markers).collect()
}

/// A key as it is. Not every server encodes it as it is asked to.
fn decoded(reply: &ListObjectVersionsOutput, key: &str) -> String {
    match reply.encoding_type() {
        Some(EncodingType::Url) => unquoted(key),
        _ => key.to_owned(),
    }
}

/// A key from `encoding-type=url`.
fn unquoted(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_keys_meet_without_overlap() {
        let bounds = ["a", "m/x", "m/y", "z"].map(str::to_owned);
        let parts: Vec<_> = spans("m", &bounds).into_iter().map(|s| (s.next.0, s.upto)).collect();
        let some = |text: &str| Some(text.to_owned());
        let expected = [("m", some("m/x")), ("m/x", some("m/y")), ("m/y", some("z")), ("z", None)];
        assert_eq!(parts, expected.map(|(after, upto)| (after.to_owned(), upto)));
    }

    #[test]
    fn a_folder_begins_after_what_stands_before_it() {
        let bound = before("models/a/").unwrap();
        assert!(
            bound.as_str() < "models/a/" && bound.as_str() > "models/a." && bound.as_str() > "models/a-b/c"
        );
        assert_eq!(unquoted("a+b%2Bc%00%C3%A4"), "a b+c\0ä");
    }
}
