//! A bucket of many versions on a real socket, made up as they are asked for: ListObjectVersions with its markers, delimiter and
//! end, and what is asked of each version. moto keeps all of it in memory and is slow.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

/// Versions that each key has.
const VERSIONS: usize = 2;
/// Keys of a folder.
const FOLDER: usize = 5_000;

/// The server, as long as the program lives.
#[derive(Clone)]
pub(crate) struct S3Versions {
    /// `http://HOST:PORT`
    pub(crate) url: String,
    keys: Arc<AtomicU64>,
    /// Requests that are still answered; then every connection ends without a word.
    answers: Arc<Mutex<Option<u64>>>,
    /// What was asked: listings, and all else.
    listed: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
}

fn key(i: usize) -> String {
    format!("models/system-{:04}/v1/part-{:07}.bin", i / FOLDER, i)
}

impl S3Versions {
    /// A bucket with so many versions.
    pub(crate) fn start(versions: usize) -> S3Versions {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answers, listed, asked) = (Arc::default(), Arc::default(), Arc::default());
        let server = S3Versions { url, keys: Arc::default(), answers, listed, asked };
        server.hold(versions);
        let serving = server.clone();
        spawn(move || {
            for connection in listener.incoming() {
                let serving = serving.clone();
                spawn(move || serving.serve(&connection.unwrap()));
            }
        });
        server
    }

    /// Holds so many versions from now on.
    pub(crate) fn hold(&self, versions: usize) {
        self.keys.store((versions / VERSIONS) as u64, Ordering::Relaxed);
    }

    /// Answers so many requests more, or as many as come.
    pub(crate) fn answers(&self, requests: Option<u64>) {
        *self.answers.lock().unwrap() = requests;
    }

    /// Listings and other requests since the last time.
    pub(crate) fn asked(&self) -> (u64, u64) {
        (self.listed.swap(0, Ordering::Relaxed), self.asked.swap(0, Ordering::Relaxed))
    }

    fn serve(&self, connection: &TcpStream) {
        connection.set_nodelay(true).unwrap();
        let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
        while let Some(Ok(request)) = lines.next() {
            while lines.next().is_some_and(|l| l.is_ok_and(|l| !l.is_empty())) {}
            if let Some(left) = self.answers.lock().unwrap().as_mut() {
                let Some(fewer) = left.checked_sub(1) else { return };
                *left = fewer;
            }
            let (status, head, body) = self.answer(request.split(' ').nth(1).unwrap());
            let length = if request.starts_with("HEAD") { 3 } else { body.len() };
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/xml\r\n{head}Content-Length: {length}\r\n\r\n"
            );
            let mut connection = connection;
            if connection.write_all(&[head.as_bytes(), body.as_bytes()].concat()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, target: &str) -> (u16, &'static str, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let of =
            |name: &str| query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('=')).map(decoded);
        let has = |name: &str| query.split('&').any(|p| p.trim_end_matches('=') == name);
        if has("versions") {
            self.listed.fetch_add(1, Ordering::Relaxed);
            return (
                200,
                "",
                self.page(
                    &of("key-marker").unwrap_or_default(),
                    of("version-id-marker"),
                    has_delimiter(query),
                ),
            );
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let text = match () {
            () if has("tagging") => "<Tagging><TagSet/></Tagging>",
            () if has("attributes") => {
                "<GetObjectAttributesResponse><Checksum><ChecksumSHA256>ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=</ChecksumSHA256><ChecksumType>FULL_OBJECT</ChecksumType></Checksum></GetObjectAttributesResponse>"
            }
            () if has("versioning") => {
                "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
            }
            () if has("logging") => "<BucketLoggingStatus/>",
            () if path.trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty()) => "",
            () => {
                return (
                    404,
                    "",
                    "<Error><Code>NoSuchLifecycleConfiguration</Code><Message>none</Message></Error>".into(),
                );
            }
        };
        (200, "x-amz-server-side-encryption: AES256\r\n", text.to_owned())
    }

    /// A page after a key and one of its versions.
    fn page(&self, after: &str, version: Option<String>, is_folders: bool) -> String {
        let keys = self.keys.load(Ordering::Relaxed) as usize;
        // The first key behind the marker, and how many of its versions were listed.
        let (mut low, mut high) = (0, keys);
        while low < high {
            let middle = usize::midpoint(low, high);
            if key(middle).as_str() <= after { low = middle + 1 } else { high = middle }
        }
        let mut place = low * VERSIONS;
        if let Some(version) = &version
            && low > 0
            && key(low - 1) == after
        {
            let listed = version.trim_start_matches('v').parse::<usize>().unwrap();
            place = (low - 1) * VERSIONS + (VERSIONS - listed) + 1;
        }
        let mut text = String::from("<ListVersionsResult>");
        if is_folders {
            for folder in (low.div_ceil(FOLDER)..keys.div_ceil(FOLDER)).take(1_000) {
                text +=
                    &format!("<CommonPrefixes><Prefix>models/system-{folder:04}/</Prefix></CommonPrefixes>");
            }
            return text + "<IsTruncated>false</IsTruncated></ListVersionsResult>";
        }
        let end = (place + 1_000).min(keys * VERSIONS);
        for place in place..end {
            let (key, number) = (key(place / VERSIONS), VERSIONS - place % VERSIONS);
            text += &format!(
                "<Version><Key>{key}</Key><VersionId>v{number}</VersionId><IsLatest>{}</IsLatest><LastModified>2026-10-01T10:00:00.000Z</LastModified><ETag>&quot;{place:032x}&quot;</ETag><Size>{place}</Size><StorageClass>STANDARD</StorageClass></Version>",
                number == VERSIONS
            );
        }
        let is_truncated = end < keys * VERSIONS;
        if is_truncated {
            let last = end - 1;
            text += &format!(
                "<NextKeyMarker>{}</NextKeyMarker><NextVersionIdMarker>v{}</NextVersionIdMarker>",
                key(last / VERSIONS),
                VERSIONS - last % VERSIONS
            );
        }
        text + &format!("<IsTruncated>{is_truncated}</IsTruncated></ListVersionsResult>")
    }
}

fn has_delimiter(query: &str) -> bool {
    query.split('&').any(|p| p.starts_with("delimiter="))
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
