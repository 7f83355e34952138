//! Listings that come in pages, each of which names the next one by a token. An empty page is not the last one.

use std::collections::HashSet;

/// Most pages of one listing: ten million objects of a day, a hundred million events of a window, five million objects of a
/// cluster.
const PAGES: usize = 10_000;

/// The pages of one listing.
pub(super) struct Pages {
    asked: String,
    tokens: HashSet<String>,
}

impl Pages {
    /// Those of a listing that is called what was asked for.
    pub(super) fn of(asked: &str) -> Pages {
        Pages { asked: asked.to_owned(), tokens: HashSet::new() }
    }

    /// How many were read.
    pub(super) fn count(&self) -> usize {
        self.tokens.len() + 1
    }

    /// The token of the next page, as this one tells it; none after the last one.
    ///
    /// # Errors
    /// The listing has no end.
    pub(super) fn next(&mut self, token: Option<&str>) -> Result<Option<String>, String> {
        let (asked, page) = (&self.asked, self.count());
        let Some(token) = token.filter(|t| !t.is_empty()) else { return Ok(None) };
        if page == PAGES {
            return Err(format!("{asked}: more than {PAGES} pages"));
        }
        if !self.tokens.insert(token.to_owned()) {
            return Err(format!("{asked}: page {page} leads back to a page before: the listing has no end"));
        }
        Ok(Some(token.to_owned()))
    }
}
