//! Letters as they are written: an assessment is checked and folded once for all of its mails, and a letter is written once for
//! all recipients of its list.

use crate::config::MailList;
use crate::evidence::record::Mail;
use crate::jobs::{Desk, JobError, Judged, compose};
use crate::mail::{Letter, hidden};
use crate::store::Store;

/// As-of and list of the config.
type Place = (u64, *const MailList);

/// What was written last, and what from.
pub(super) struct Writing<'a> {
    given: Option<&'a Judged>,
    made: Option<Judged>,
    /// The letter, or why there is none.
    last: Option<(Place, Result<Letter, String>)>,
}

impl<'a> Writing<'a> {
    pub(super) fn from(given: Option<&'a Judged>) -> Writing<'a> {
        Writing { given, made: None, last: None }
    }

    /// The letter of a mail, to be addressed; or why it cannot be written.
    pub(super) fn letter(
        &mut self,
        desk: &Desk,
        store: &Store,
        mail: &Mail,
        list: &MailList,
    ) -> Result<Result<Letter, String>, JobError> {
        let wanted = (mail.as_of, std::ptr::from_ref(list));
        if let Some((_, letter)) = self.last.as_ref().filter(|(last, _)| *last == wanted) {
            return Ok(letter.clone());
        }
        let written = match self.write(desk, store, mail, list) {
            Ok(letter) => Ok(letter),
            Err(e @ (JobError::Broken(_) | JobError::Store(_))) => return Err(e),
            Err(e) => Err(hidden(&e.to_string())),
        };
        Ok(self.last.insert((wanted, written)).1.clone())
    }

    fn write(
        &mut self,
        desk: &Desk,
        store: &Store,
        mail: &Mail,
        list: &MailList,
    ) -> Result<Letter, JobError> {
        let given = self.given.filter(|judged| judged.size() == mail.as_of);
        let judged = match (given, self.made.take().filter(|judged| judged.size() == mail.as_of)) {
            (Some(given), _) => given,
            (None, Some(made)) => self.made.insert(made),
            (None, None) => self.made.insert(Judged::of(desk, store, mail.as_of)?),
        };
        compose(desk, store, judged, mail, list)
    }
}
