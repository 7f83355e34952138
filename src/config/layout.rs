//! Where the files of a model version lie in a bucket.

/// The layout of a source that does not name one.
pub const LAYOUT: &str = "<prefix>/<system>/<model-version>/<file>";

/// A layout: what each part of a key says, up to the folder of a model version. All that lies below it is its files.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Named(String),
    Any,
    System,
    Version,
}

/// What a key says of the file that lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed<'k> {
    /// Name of the system.
    pub system: &'k str,
    /// Model version.
    pub version: &'k str,
    /// Beginning of the keys of all its files; ends in `/`.
    pub prefix: &'k str,
}

impl Layout {
    /// Parses a pattern of parts between slashes: `<system>` and `<model-version>`, each once; `<prefix>`, the prefix of the
    /// source's location, or one part of any name where it has none; `*`, one part of any name; `<file>` at the end, which may
    /// be left out; any other text stands for itself. `prefix` is empty, or ends in `/`.
    ///
    /// # Errors
    /// What the pattern lacks, in words.
    pub fn parse(pattern: &str, prefix: &str) -> Result<Layout, &'static str> {
        let pattern = pattern.trim_end_matches('/');
        let mut parts = Vec::new();
        for part in pattern.strip_suffix("/<file>").unwrap_or(pattern).split('/') {
            match part {
                "" => return Err("a part between two slashes is empty"),
                "<prefix>" if prefix.is_empty() => parts.push(Part::Any),
                "<prefix>" => {
                    parts.extend(prefix.trim_end_matches('/').split('/').map(|p| Part::Named(p.into())))
                }
                "*" => parts.push(Part::Any),
                "<system>" => parts.push(Part::System),
                "<model-version>" => parts.push(Part::Version),
                text if text.contains(['<', '>', '*']) => {
                    return Err(
                        "a part is <prefix>, <system>, <model-version>, <file> (the last one), *, or a name",
                    );
                }
                text => parts.push(Part::Named(text.into())),
            }
        }
        let times = |part| parts.iter().filter(|p| **p == part).count();
        if times(Part::System) != 1 || times(Part::Version) != 1 {
            return Err("<system> and <model-version> stand in it once each");
        }
        Ok(Layout(parts))
    }

    /// The layout of a source, by its pattern and location. One that the config would refuse is the default.
    pub fn of(pattern: Option<&str>, location: &str) -> Layout {
        let prefix = super::bucket(location).map(|(_, prefix)| prefix).unwrap_or_default();
        let parsed = |pattern| Layout::parse(pattern, &prefix).ok();
        pattern.and_then(parsed).or_else(|| parsed(LAYOUT)).unwrap_or(Layout(Vec::new()))
    }

    /// What a key says; none where it does not fit, or is the folder itself.
    pub fn place<'k>(&self, key: &'k str) -> Option<Placed<'k>> {
        let (mut rest, mut system, mut version) = (key, None, None);
        for part in &self.0 {
            let (said, below) = rest.split_once('/')?;
            match part {
                Part::Named(name) => (said == name).then_some(())?,
                Part::Any => {}
                Part::System => system = Some(said),
                Part::Version => version = Some(said),
            }
            (!said.is_empty()).then_some(())?;
            rest = below;
        }
        let prefix = &key[..key.len() - rest.len()];
        (!rest.is_empty()).then_some(Placed { system: system?, version: version?, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed<'k>(
        pattern: Option<&str>,
        location: &str,
        key: &'k str,
    ) -> Option<(&'k str, &'k str, &'k str)> {
        Layout::of(pattern, location).place(key).map(|p| (p.system, p.version, p.prefix))
    }

    #[test]
    fn a_key_says_its_system_and_model_version() {
        let whole = |key| placed(None, "s3://b", key);
        assert_eq!(whole("models/a/v1/m.bin"), Some(("a", "v1", "models/a/v1/")));
        assert_eq!(whole("models/a/v1/weights/0.bin"), Some(("a", "v1", "models/a/v1/")));
        assert_eq!(whole("models/a/m.bin"), None);
        assert_eq!(whole("models/a/v1/"), None, "a folder is no file");
        assert_eq!(whole("models//v1/m.bin"), None);
        let below = |key| placed(None, "s3://b/ml/prod/", key);
        assert_eq!(below("ml/prod/a/v1/m.bin"), Some(("a", "v1", "ml/prod/a/v1/")));
        assert_eq!(below("ml/test/a/v1/m.bin"), None);
        let other = |key| placed(Some("<model-version>/team-*/x"), "s3://b", key);
        assert_eq!(other("models/a/v1/m.bin"), Some(("a", "v1", "models/a/v1/")), "refused: the default");
        let own = |key| placed(Some("store/*/<model-version>/of/<system>"), "file:looks", key);
        assert_eq!(own("store/x/v1/of/a/m.bin"), Some(("a", "v1", "store/x/v1/of/a/")));
        assert_eq!(own("store/x/v1/by/a/m.bin"), None);
    }

    #[test]
    fn what_a_pattern_lacks_is_said() {
        let refused = |pattern| Layout::parse(pattern, "").unwrap_err();
        assert!(refused("<prefix>/<system>").contains("once each"));
        assert!(refused("<system>/<system>/<model-version>").contains("once each"));
        assert!(refused("<prefix>//<system>/<model-version>").contains("empty"));
        assert!(refused("<file>/<system>/<model-version>").contains("the last one"));
        assert!(refused("<prefix>/<system>-<model-version>").contains("a name"));
    }
}
